// Package host has what tests need of the machine that they run on: processes, free
// ports, and certificates. It imports nothing but Go's own packages, so that all tests
// can use it, whatever they test.
package host

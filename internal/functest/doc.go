// Package functest has Crossplane for tests, without a cluster: it looks up what the
// function requires, calls it until that is stable, and applies what it desires by
// Kubernetes' own code for server-side apply.
package functest

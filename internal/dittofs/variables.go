package dittofs

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// maxVariable is the size of the largest variable that Linux passes to a process, in
// bytes: its name, an equals sign, its value and a zero.
const maxVariable = 128 << 10

// CheckVariable says why a container cannot have such a variable, or returns nothing. The
// name counts too, because the kernel sees name and value as one string. What it says does
// not repeat the value.
func CheckVariable(name string, value []byte) string {
	switch {
	case bytes.IndexByte(value, 0) >= 0:
		return "a variable cannot have a zero byte in its value"
	case !utf8.Valid(value):
		return "a variable has to be UTF-8, because Kubernetes passes it on as text. Write binary values in hexadecimal or base64"
	case len(name)+len("=")+len(value)+len("\x00") > maxVariable:
		return fmt.Sprintf("a variable can have at most %d KiB, with its name", maxVariable>>10)
	}
	return ""
}

package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/dittofs/function-dittoserver/internal/dittofs"
)

// TestReadmeInputs checks that the README says of each Secret input what the hash
// goes by.
func TestReadmeInputs(t *testing.T) {
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}

	change := map[dittofs.Reload]string{
		dittofs.AtStart:      "restarts",
		dittofs.Live:         "is live",
		dittofs.AtFirstStart: "restarts, and more",
	}
	table := &strings.Builder{}
	for _, in := range dittofs.Inputs {
		fmt.Fprintf(table, "| `%s` | `%s` | %s | %s |\n", in.Field, in.Name, change[in.Reload], in.Evidence)
	}

	if !strings.Contains(string(b), table.String()) {
		t.Errorf("README.md does not have this table of Secret inputs, made of dittofs.Inputs:\n%s", table)
	}
}

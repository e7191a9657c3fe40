package functest

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"
)

// IsFatal says whether a response has a fatal result.
func IsFatal(rsp *fnv1.RunFunctionResponse) bool {
	return slices.ContainsFunc(rsp.GetResults(), func(r *fnv1.Result) bool { return r.GetSeverity() == fnv1.Severity_SEVERITY_FATAL })
}

// Desired returns a composed resource that a response desires, or nil.
func Desired(rsp *fnv1.RunFunctionResponse, name string) *structpb.Struct {
	return rsp.GetDesired().GetResources()[name].GetResource()
}

// Condition returns a condition in short: its status and reason.
func Condition(rsp *fnv1.RunFunctionResponse, typ string) string {
	c := FullCondition(rsp, typ)
	return strings.TrimPrefix(c.GetStatus().String(), "STATUS_CONDITION_") + " " + c.GetReason()
}

// FullCondition returns a condition, or nil.
func FullCondition(rsp *fnv1.RunFunctionResponse, typ string) *fnv1.Condition {
	for _, c := range rsp.GetConditions() {
		if c.GetType() == typ {
			return c
		}
	}
	return nil
}

// Results returns the results in short: their severities and reasons.
func Results(rsp *fnv1.RunFunctionResponse) []string {
	rs := []string{}
	for _, r := range rsp.GetResults() {
		rs = append(rs, r.GetSeverity().String()+" "+r.GetReason())
	}
	return rs
}

package main

import (
	"context"
	"time"

	"github.com/crossplane/function-sdk-go/logging"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/response"
)

// A Function composes DittoFS servers.
type Function struct {
	fnv1.UnimplementedFunctionRunnerServiceServer

	log     logging.Logger
	ttl     time.Duration
	metrics *metrics
}

// RunFunction answers with what a DittoServer needs in order to run, or with a
// fatal result, after which Crossplane leaves everything as it is.
func (f *Function) RunFunction(_ context.Context, req *fnv1.RunFunctionRequest) (rsp *fnv1.RunFunctionResponse, _ error) {
	start := time.Now()
	defer func() {
		// One DittoServer must not take the function away from all others.
		if r := recover(); r != nil {
			rsp = f.afterPanic(req, r)
		}
		f.metrics.called(time.Since(start), rsp)
	}()

	rsp = response.To(req, f.ttl)
	p := newPlan(req)
	if err := f.compose(p, rsp); err != nil {
		response.Fatal(rsp, err, p.available()...)
	}
	return rsp, nil
}

// compose goes through what a call has to find out, in this order (plan.go).
func (f *Function) compose(p *plan, rsp *fnv1.RunFunctionResponse) error {
	// What the platform team and the user want, and what there is of it.
	if err := p.observe(); err != nil {
		return err
	}
	// The objects that run the server.
	if err := p.render(); err != nil {
		return err
	}
	// What its pod reads from Secrets.
	if err := p.resolve(); err != nil {
		return err
	}
	// Whether the pod is replaced.
	if err := p.decide(); err != nil {
		return err
	}
	// What comes back.
	if err := p.respond(f, rsp); err != nil {
		return err
	}

	d := p.decision
	f.metrics.decided(d, len(p.secrets.Problems))
	f.log.Debug("Composed a DittoServer", "namespace", p.xr.GetNamespace(), "name", p.xr.GetName(),
		"action", d.Action, "reason", d.Reason, "secrets-pending", len(p.secrets.Pending), "secret-problems", len(p.secrets.Problems))
	return nil
}

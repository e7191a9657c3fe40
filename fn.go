package main

import (
	"context"
	"time"

	"github.com/crossplane/function-sdk-go/logging"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/operations"
	"github.com/dittofs/function-dittoserver/internal/response"
	"github.com/dittofs/function-dittoserver/internal/structs"
)

// A Function composes DittoFS servers, and works on many of them at once.
type Function struct {
	fnv1.UnimplementedFunctionRunnerServiceServer

	log     logging.Logger
	ttl     time.Duration
	metrics *metrics
}

// RunFunction returns the composed resources that a DittoServer needs in order to run, or
// takes a step of an Operation (operate.go).
// If it cannot, it returns a fatal result, and Crossplane leaves everything as it is.
func (f *Function) RunFunction(_ context.Context, req *fnv1.RunFunctionRequest) (rsp *fnv1.RunFunctionResponse, _ error) {
	start := time.Now()
	defer func() {
		// A panic over one DittoServer must not end the function for all others.
		if r := recover(); r != nil {
			rsp = f.afterPanic(req, r)
		}
		f.metrics.called(time.Since(start), rsp)
	}()

	rsp = response.To(req, f.ttl)
	if kind := structs.Text(req.GetInput(), "kind"); operations.Is(kind) {
		if err := f.operate(kind, req, rsp); err != nil {
			response.FatalOperation(rsp, err)
		}
		return rsp, nil
	}
	p := newPlan(req)
	if err := f.compose(p, rsp); err != nil {
		response.Fatal(rsp, err, p.available()...)
	}
	return rsp, nil
}

// compose goes through the steps of a call (plan.go).
func (f *Function) compose(p *plan, rsp *fnv1.RunFunctionResponse) error {
	// What do the platform team and the user want, and what exists?
	if err := p.observe(); err != nil {
		return err
	}
	// Which objects run the server?
	if err := p.render(); err != nil {
		return err
	}
	// What does its pod read from Secrets?
	if err := p.resolve(); err != nil {
		return err
	}
	// Is the pod replaced?
	if err := p.decide(); err != nil {
		return err
	}
	// What does Crossplane get back?
	if err := p.respond(f, rsp); err != nil {
		return err
	}

	d := p.decision
	f.metrics.decided(d, p.restarts, len(p.secrets.Problems))
	f.log.Debug("Composed a DittoServer", "namespace", p.xr.GetNamespace(), "name", p.xr.GetName(),
		"action", d.Action, "reason", d.Reason, "secrets-pending", len(p.secrets.Pending), "secret-problems", len(p.secrets.Problems))
	return nil
}

package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"
	fnv1 "github.com/crossplane/function-sdk-go/proto/v1"

	"github.com/dittofs/function-dittoserver/internal/serve"
)

// wireCanary stands in a Secret, and may be seen nowhere else.
const wireCanary = "canary-3b9d-and-then-some-to-be-long-enough"

// FuzzWire sends whatever it may be as a request over gRPC. The function should
// answer, and go on answering, and keep Secrets to itself.
func FuzzWire(f *testing.F) {
	log := &lockedRecorder{}
	conn := serveOnSocket(f, log)
	good := wireRequest(f)
	for _, b := range wireSeeds(f, good) {
		f.Add(b)
	}

	f.Fuzz(func(t *testing.T, request []byte) {
		response, err := callRaw(t.Context(), conn, request)

		switch status.Code(err) {
		case codes.OK:
			if err := proto.Unmarshal(response, &fnv1.RunFunctionResponse{}); err != nil {
				t.Errorf("The response is none: %v", err)
			}
		case codes.Internal, codes.ResourceExhausted: // It is no request, or its answer cannot be sent.
		default:
			t.Errorf("A bad request should be answered as one: %v", err)
		}
		logged := log.take()
		if strings.Contains(logged, "Recovered from a panic") {
			t.Errorf("No request should make the function panic: %s", logged)
		}
		if !saysCanary(request) {
			for what, said := range map[string]string{"response": string(response), "error": fmt.Sprint(err), "log": logged} {
				if strings.Contains(said, wireCanary) || strings.Contains(said, base64.StdEncoding.EncodeToString([]byte(wireCanary))) {
					t.Errorf("The %s repeats a Secret: %s", what, said)
				}
			}
		}
		if _, err := callRaw(t.Context(), conn, good); err != nil {
			t.Errorf("After that, a good request should be answered: %v", err)
		}
	})
}

// saysCanary says whether a request has the canary outside of its Secrets, where
// it is none.
func saysCanary(request []byte) bool {
	req := &fnv1.RunFunctionRequest{}
	if err := proto.Unmarshal(request, req); err != nil {
		return false
	}
	for _, r := range req.GetRequiredResources() {
		for _, item := range r.GetItems() {
			delete(item.GetResource().GetFields(), "data")
		}
	}
	rest, err := proto.Marshal(req)
	return err != nil || bytes.Contains(rest, []byte(wireCanary)) || bytes.Contains(rest, []byte(base64.StdEncoding.EncodeToString([]byte(wireCanary))))
}

// wireRequest is a request of a server that runs, with the canary in a Secret.
func wireRequest(tb testing.TB) []byte {
	tb.Helper()
	c, _ := newRunningCluster(tb)
	c.SetSecret("jwt", "key", wireCanary)
	return marshal(tb, c.Request(c.Required))
}

// wireSeeds are a good request, and what is made of one by who means ill.
func wireSeeds(tb testing.TB, good []byte) map[string][]byte {
	tb.Helper()
	edited := func(edit func(*fnv1.RunFunctionRequest)) []byte {
		req := &fnv1.RunFunctionRequest{}
		if err := proto.Unmarshal(good, req); err != nil {
			tb.Fatal(err)
		}
		edit(req)
		return marshal(tb, req)
	}
	inSpec := func(v *structpb.Value) []byte {
		return edited(func(req *fnv1.RunFunctionRequest) {
			req.GetObserved().GetComposite().GetResource().GetFields()["spec"].GetStructValue().Fields["storage"] = v
		})
	}
	everywhere := func(v *structpb.Value) []byte {
		return edited(func(req *fnv1.RunFunctionRequest) {
			for _, r := range req.GetObserved().GetResources() {
				for name := range r.GetResource().GetFields() {
					r.Resource.Fields[name] = v
				}
			}
			for _, r := range req.GetRequiredResources() {
				for _, item := range r.GetItems() {
					for name := range item.GetResource().GetFields() {
						if name != "data" {
							item.Resource.Fields[name] = v
						}
					}
				}
			}
		})
	}
	nested := structpb.NewNullValue()
	for range 4000 {
		nested = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{nested}})
	}

	return map[string][]byte{
		"Good":         good,
		"Empty":        {},
		"Half":         good[:len(good)/2],
		"NoEnd":        good[:len(good)-1],
		"Twice":        append(bytes.Clone(good), good...),
		"Noise":        []byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
		"WrongType":    bytes.ReplaceAll(good, []byte("\x1a"), []byte("\x0d")),
		"NotUTF8":      bytes.ReplaceAll(good, []byte("storage"), []byte("stor\xffge")),
		"NoComposite":  edited(func(req *fnv1.RunFunctionRequest) { req.Observed.Composite = nil }),
		"NoObserved":   edited(func(req *fnv1.RunFunctionRequest) { req.Observed = nil }),
		"NilStruct":    edited(func(req *fnv1.RunFunctionRequest) { req.Observed.Composite.Resource = nil }),
		"EmptySpec":    inSpec(&structpb.Value{}),
		"NaN":          inSpec(structpb.NewNumberValue(math.NaN())),
		"Infinite":     everywhere(structpb.NewNumberValue(math.Inf(1))),
		"KindNowhere":  everywhere(&structpb.Value{}),
		"Nested":       inSpec(nested),
		"NestedAround": everywhere(nested),
	}
}

// TestWireSeeds says what becomes of each seed: for most that is an answer.
func TestWireSeeds(t *testing.T) {
	conn := serveOnSocket(t, &lockedRecorder{})
	refused := map[string]bool{"Half": true, "NoEnd": true, "Noise": true, "WrongType": true, "NotUTF8": true}
	for name, request := range wireSeeds(t, wireRequest(t)) {
		t.Run(name, func(t *testing.T) {
			want := codes.OK
			if refused[name] {
				want = codes.Internal
			}
			if _, err := callRaw(t.Context(), conn, request); status.Code(err) != want {
				t.Errorf("want %s, got %v", want, err)
			}
		})
	}
}

// serveOnSocket serves the function as main does, and connects to it.
func serveOnSocket(tb testing.TB, log logging.Logger) *grpc.ClientConn {
	tb.Helper()
	socket := filepath.Join(tb.TempDir(), "function.sock")
	ctx, stop := context.WithCancel(context.WithoutCancel(tb.Context()))
	done := make(chan error, 1)
	go func() {
		done <- serve.Serve(ctx, newFunction(log, time.Minute, nil), serve.Options{
			Network: "unix", Address: socket, Insecure: true, MaxRecvMessageSize: 16 << 20, Registry: prometheus.NewRegistry(), Log: log,
		})
	}()
	tb.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			tb.Error(err)
		}
	})
	conn, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	return conn
}

// callRaw sends bytes as they are.
func callRaw(ctx context.Context, conn *grpc.ClientConn, request []byte) (response []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	err = conn.Invoke(ctx, fnv1.FunctionRunnerService_RunFunction_FullMethodName, request, &response, grpc.ForceCodecV2(rawCodec{}))
	return response, err
}

// A rawCodec takes bytes for a message.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}

func (rawCodec) Unmarshal(b mem.BufferSlice, v any) error {
	*v.(*[]byte) = b.Materialize()
	return nil
}

// A lockedRecorder keeps what is logged by many.
type lockedRecorder struct {
	recorder

	mu sync.Mutex
}

func (r *lockedRecorder) Info(msg string, kv ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.recorder.Info(msg, kv...)
}

func (r *lockedRecorder) Debug(msg string, kv ...any) { r.Info(msg, kv...) }

func (r *lockedRecorder) WithValues(...any) logging.Logger { return r }

// take returns what was logged since the last time.
func (r *lockedRecorder) take() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer func() { r.lines = nil }()
	return r.String()
}

func marshal(tb testing.TB, m proto.Message) []byte {
	tb.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

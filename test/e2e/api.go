package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// address is where one of a server's Services is.
func (s *scenario) address(srv *server, service string) string {
	s.Helper()
	svc, err := s.cluster.CoreV1().Services(srv.Namespace).Get(s.ctx, srv.Name+"-"+service, metav1.GetOptions{})
	must(s, err)
	return net.JoinHostPort(svc.Spec.ClusterIP, strconv.Itoa(int(svc.Spec.Ports[0].Port)))
}

// api is where a server's API is, through its Service.
func (s *scenario) api(srv *server) string {
	s.Helper()
	return "http://" + s.address(srv, "api") + "/api/v1"
}

// adminPassword is the one that the Secret of basicSpec has.
func (s *scenario) adminPassword(srv *server) string {
	s.Helper()
	sec, err := s.cluster.CoreV1().Secrets(srv.Namespace).Get(s.ctx, "admin", metav1.GetOptions{})
	must(s, err)
	return string(sec.Data["password"])
}

// login logs in as the admin, and returns the token. A Service leads to a pod a moment after
// that is ready, and not to one that is away.
func (s *scenario) login(srv *server, password string) string {
	s.Helper()
	var tokens struct {
		Access string `json:"access_token"`
	}
	api := s.api(srv)
	must(s, await(s.ctx, srv.String()+" to let the admin in", func(ctx context.Context) error {
		err := post(ctx, api+"/auth/login", "", map[string]string{"username": "admin", "password": password}, &tokens)
		if err == nil && tokens.Access == "" {
			err = errors.New("there is no token in the answer")
		}
		return err
	}))
	return tokens.Access
}

// The password that changePassword sets. Only the server's database has it.
const ownPassword = "a-password-that-only-the-database-knows"

// changePassword changes the admin's password through the API.
func (s *scenario) changePassword(srv *server) {
	s.Helper()
	password := s.adminPassword(srv)
	token := s.login(srv, password)
	must(s, post(s.ctx, s.api(srv)+"/users/me/password", token, map[string]string{"current_password": password, "new_password": ownPassword}, nil))
}

// knowsPassword waits until a server lets in the admin with the password that
// changePassword has set: its database is the one that it had.
func (s *scenario) knowsPassword(srv *server) {
	s.Helper()
	s.login(srv, ownPassword)
}

// requestTimeout is how long a request to a server may take.
const requestTimeout = 10 * time.Second

// post sends a server a request, of the bearer of a token if there is one.
func post(ctx context.Context, url, token string, body, into any) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	b, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("cannot marshal: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(b))
	if err != nil {
		return fmt.Errorf("cannot ask: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Close = true // A server that stops waits for those that are connected.
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	rsp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("cannot ask: %w", err)
	}
	defer rsp.Body.Close() //nolint:errcheck // Only read from.
	if rsp.StatusCode/100 != 2 {
		return fmt.Errorf("%s answers %s", url, rsp.Status)
	}
	if into == nil {
		return nil
	}
	if err := json.NewDecoder(rsp.Body).Decode(into); err != nil {
		return fmt.Errorf("cannot read answer: %w", err)
	}
	return nil
}

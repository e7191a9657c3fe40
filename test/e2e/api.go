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

// api is where a server's API is, through its Service.
func (s *server) api(ctx context.Context) (string, error) {
	svc, err := s.cluster.CoreV1().Services(s.Namespace).Get(ctx, s.Name+"-api", metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("cannot get Service: %w", err)
	}
	return "http://" + net.JoinHostPort(svc.Spec.ClusterIP, strconv.Itoa(int(svc.Spec.Ports[0].Port))) + "/api/v1", nil
}

// login logs in as the admin, and returns the token.
func (s *server) login(ctx context.Context, password string) (string, error) {
	api, err := s.api(ctx)
	if err != nil {
		return "", err
	}
	var tokens struct {
		Access string `json:"access_token"`
	}
	err = post(ctx, api+"/auth/login", "", map[string]string{"username": "admin", "password": password}, &tokens)
	if err == nil && tokens.Access == "" {
		err = errors.New("there is no token in the answer")
	}
	return tokens.Access, err
}

// The password that changePassword sets. Only the server's database has it.
const ownPassword = "a-password-that-only-the-database-knows"

// changePassword changes the admin's password through the API.
func (s *scenario) changePassword(srv *server) {
	s.Helper()
	sec, err := s.cluster.CoreV1().Secrets(srv.Namespace).Get(s.ctx, "admin", metav1.GetOptions{})
	must(s, err)
	password := string(sec.Data["password"])
	api, err := srv.api(s.ctx)
	must(s, err)
	token, err := srv.login(s.ctx, password)
	must(s, err)
	must(s, post(s.ctx, api+"/users/me/password", token, map[string]string{"current_password": password, "new_password": ownPassword}, nil))
}

// knowsPassword returns an error unless a server knows the password that changePassword
// has set: its database is the one that it had.
func (s *scenario) knowsPassword(ctx context.Context, srv *server) error {
	_, err := srv.login(ctx, ownPassword)
	return err
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

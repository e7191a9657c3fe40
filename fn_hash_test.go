package main

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/dittofs/function-dittoserver/internal/functest"
	"github.com/dittofs/function-dittoserver/internal/manifests"
)

// TestConfigHashChanges goes through all that a server reads at its start: a
// change of each must restart it. A change that the hash does not see leaves, for
// example, a revoked credential in use.
func TestConfigHashChanges(t *testing.T) {
	postgres := func(c *cluster) { c.UsePostgres() }
	strict := func(c *cluster) { c.SetInput("includeGeneration: true") }

	setSecret := func(name, key, value string) func(*cluster) {
		return func(c *cluster) { c.SetSecret(name, key, value) }
	}
	set := func(path string, value any) func(*cluster) {
		return func(c *cluster) { c.Set(path, value) }
	}

	cases := map[string]struct {
		reason string
		given  func(c *cluster)
		when   func(c *cluster)
	}{
		"JWTKey":           {reason: "The server signs with the key that it read at its start.", when: setSecret("jwt", "key", functest.JWTKey+"!")},
		"JWTKeyNewline":    {reason: "The server does not trim: a newline is part of the key.", when: setSecret("jwt", "key", functest.JWTKey+"\n")},
		"JWTKeyControl":    {reason: "Values are bytes, of whatever looks.", when: setSecret("jwt", "key", functest.JWTKey+"\x01\u00e9")},
		"AdminPassword":    {reason: "The password is a variable, which only a new pod sees.", when: setSecret("admin", "password", "correct horses")},
		"PostgresHost":     {reason: "The connection is made at the start.", given: postgres, when: setSecret("db", "host", "db-2.example")},
		"PostgresPort":     {reason: "The connection is made at the start.", given: postgres, when: setSecret("db", "port", "5432")},
		"PostgresDatabase": {reason: "The connection is made at the start.", given: postgres, when: setSecret("db", "database", "other")},
		"PostgresUser":     {reason: "The connection is made at the start.", given: postgres, when: setSecret("db", "user", "other")},
		"PostgresPassword": {reason: "The connection is made at the start.", given: postgres, when: setSecret("db", "password", "other")},
		"PostgresSSLMode":  {reason: "The connection is made at the start.", given: postgres, when: setSecret("db", "sslmode", "disable")},
		"PostgresAdded":    {reason: "Another database is another server.", when: postgres},
		"LoggingLevel":     {reason: "The config is read at the start.", when: set("spec.logging.level", "DEBUG")},
		"LoggingFormat":    {reason: "The config is read at the start.", when: set("spec.logging.format", "text")},
		"LoggingOutput":    {reason: "The config is read at the start.", when: set("spec.logging.output", "stderr")},
		"ControlPlanePort": {reason: "The config is read at the start.", when: set("spec.controlPlane.port", 9090)},
		"AccessTokens":     {reason: "The config is read at the start.", when: set("spec.identity.jwt.accessTokenDuration", "10m")},
		"RefreshTokens":    {reason: "The config is read at the start.", when: set("spec.identity.jwt.refreshTokenDuration", "24h")},
		"SQLitePath":       {reason: "The config is read at the start.", when: set("spec.database.sqlite.path", "/data/controlplane/other.db")},
		"RestartToken":     {reason: "A new token is an order to restart.", when: set("spec.rollout.restartToken", "now")},
		"OtherSecret": {
			reason: "Another Secret with another value is another value.",
			when: func(c *cluster) {
				c.SetSecret("jwt-2", "key", functest.JWTKey+"!")
				c.Set("spec.identity.jwt.secretRef.name", "jwt-2")
			},
		},
		"OptionalKeyRemoved": {reason: "A key that may be missing makes a difference when it is.", given: postgres, when: func(c *cluster) { c.UnsetSecret("db", "sslmode") }},
		"OptionalKeyEmptied": {
			reason: "An empty variable is not a missing one.",
			given: func(c *cluster) {
				c.UsePostgres()
				c.UnsetSecret("db", "sslmode")
			},
			when: setSecret("db", "sslmode", ""),
		},
		"SpecWithIncludeGeneration": {
			reason: "With includeGeneration each change of the spec restarts the server.",
			given:  strict,
			when:   set("spec.service.annotations", map[string]any{"example.com/key": "value"}),
		},
		"IncludeGenerationSwitchedOn": {
			reason: "From now on the spec counts.",
			when:   strict,
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			before, after := hashes(t, tc.given, tc.when)

			if before == "" || before == after {
				t.Errorf("%s\nThe config hash is %q as before, want another one", tc.reason, after)
			}
		})
	}
}

// TestConfigHashStays goes through what a running server does not read: a change
// of it must not restart it, as a restart is an outage for every client.
func TestConfigHashStays(t *testing.T) {
	postgres := func(c *cluster) { c.UsePostgres() }
	strict := func(c *cluster) { c.SetInput("includeGeneration: true") }
	set := func(path string, value any) func(*cluster) {
		return func(c *cluster) { c.Set(path, value) }
	}
	setOfSecret := func(path string, value any) func(*cluster) {
		return func(c *cluster) { c.Secrets["team-a/jwt"] = functest.With(c, c.Secrets["team-a/jwt"], path, value) }
	}

	cases := map[string]struct {
		reason string
		given  func(c *cluster)
		when   func(c *cluster)
	}{
		"SecretLabels":          {reason: "Who manages a Secret is no matter of the server's.", when: setOfSecret("metadata.labels.team", "a")},
		"SecretAnnotations":     {reason: "Operators write times into annotations.", when: setOfSecret("metadata.annotations[example.com/refreshed]", "12:00")},
		"SecretResourceVersion": {reason: "A write that changes no value changes this.", when: setOfSecret("metadata.resourceVersion", "4712")},
		"SecretUID":             {reason: "A Secret that is made again with the same values is the same to the server.", when: setOfSecret("metadata.uid", "another")},
		"SecretType":            {reason: "The type is no input.", when: setOfSecret("type", "example.com/jwt")},
		"SecretOwner":           {reason: "The owner is no input.", when: setOfSecret("metadata.ownerReferences", []any{map[string]any{"kind": "ExternalSecret", "name": "jwt"}})},
		"UnreferencedKey":       {reason: "The pod does not read that key.", when: func(c *cluster) { c.SetSecret("jwt", "other", "value") }},
		"UnreferencedSecret":    {reason: "The pod does not read that Secret.", when: func(c *cluster) { c.SetSecret("other", "key", "value") }},
		"SecretInOtherNamespace": {reason: "Another namespace's Secret of the same name is another Secret.", when: func(c *cluster) {
			s := functest.With(c, c.Secrets["team-a/jwt"], "metadata.namespace", "team-b")
			c.Secrets["team-b/jwt"] = functest.With(c, s, "data.key", base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 40))))
		}},
		"SecretRenamed": {reason: "The server sees the value and not where it comes from. The template rolls by itself when the name in it changes.", when: func(c *cluster) {
			c.SetSecret("jwt-2", "key-2", functest.JWTKey)
			c.Set("spec.identity.jwt.secretRef", map[string]any{"name": "jwt-2", "key": "key-2"})
		}},
		"PostgresKeyOfManifest": {reason: "The key of postgresSecretRef has no effect.", given: postgres, when: set("spec.database.postgresSecretRef.key", "any")},
		"Generation":            {reason: "Crossplane raises the generation by itself.", when: set("metadata.generation", 5)},
		"GenerationWhenStrict":  {reason: "Crossplane raises the generation by itself, so not even includeGeneration counts it.", given: strict, when: set("metadata.generation", 5)},
		"Crossplane":            {reason: "What Crossplane writes into the spec is none of the server's.", when: set("spec.crossplane.compositionRevisionRef.name", "dittoserver-2")},
		"CrossplaneWhenStrict":  {reason: "includeGeneration counts what the user wrote, and not what Crossplane did.", given: strict, when: set("spec.crossplane.compositionRevisionRef.name", "dittoserver-2")},
		"DittoServerMetadata": {reason: "Labels and annotations of the DittoServer are none of the server's.", when: func(c *cluster) {
			c.Set("metadata.labels.team", "a")
			c.Set("metadata.resourceVersion", "4712")
		}},
		"Image":              {reason: "The template rolls by itself when the image in it changes.", when: set("spec.image", "example.com/dittofs:next")},
		"Replicas":           {reason: "To stop a server and start it again needs no other pod.", when: set("spec.replicas", 0)},
		"ServiceAnnotations": {reason: "A Service is no reason for an outage.", when: set("spec.service.annotations", map[string]any{"example.com/key": "value"})},
		"ServiceType":        {reason: "A Service is no reason for an outage.", when: set("spec.service.type", "NodePort")},
		"Resources":          {reason: "The template rolls by itself when the resources in it change.", when: set("spec.resources.limits.memory", "2Gi")},
		"DefaultWrittenOut":  {reason: "A default that is written out changes nothing.", when: set("spec.logging.level", "INFO")},
		"TTL":                {reason: "How often Crossplane looks is none of the server's.", when: func(c *cluster) { c.SetInput("ttl: 5m") }},
		"RolloutPolicy":      {reason: "The policy says when, and not what.", when: set("spec.rollout.policy", "Manual")},
		"StorageSize":        {reason: "A volume's size is none of the server's.", when: set("spec.storage.metadataSize", "20Gi")},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			before, after := hashes(t, tc.given, tc.when)

			if before == "" || before != after {
				t.Errorf("%s\nThe config hash is %q, want %q as before", tc.reason, after, before)
			}
		})
	}
}

// TestConfigHashPinned pins the hash of a server. Another hash for the same input
// restarts every user's servers when the function is upgraded, which makes it a
// breaking change: see the release notes before you change this.
func TestConfigHashPinned(t *testing.T) {
	const want = "fad9f9b0088c45dd8ad8a60c3e22b53e5fe5f0a4e9e5d33597c5aa0ef5d6a714"

	if got := functest.HashOf(functest.Desired(newCluster(t).Settle(), manifests.StatefulSetResource)); got != want {
		t.Errorf("The config hash is %q, want %q. A change restarts every user's servers", got, want)
	}
}

// hashes are the config hashes of a server before and after something has happened to it.
func hashes(t *testing.T, given, when func(c *cluster)) (before, after string) {
	t.Helper()
	c := newCluster(t)
	if given != nil {
		given(c)
	}
	before = functest.HashOf(functest.Desired(c.Settle(), manifests.StatefulSetResource))
	when(c)
	after = functest.HashOf(functest.Desired(c.Settle(), manifests.StatefulSetResource))
	return before, after
}

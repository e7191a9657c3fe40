package status

import (
	"fmt"

	"github.com/dittofs/function-dittoserver/internal/observed"
	"github.com/dittofs/function-dittoserver/internal/rollout"
)

// An Event reports once that something has happened.
type Event struct {
	// Warning is set if somebody has to do something.
	Warning bool

	Reason, Message string
}

// Events returns an event for each condition that now needs somebody's attention, or no
// longer does.
func Events(was map[string]observed.Condition, conditions []observed.Condition) []Event {
	events := []Event{}
	for _, c := range conditions {
		switch before := was[c.Type]; {
		case needsAttention(c) && c != before:
			events = append(events, Event{Warning: true, Reason: c.Reason, Message: c.Type + ": " + c.Message})
		case needsAttention(before) && !needsAttention(c) && c.Status != observed.Unknown:
			events = append(events, Event{Reason: c.Reason, Message: c.Type + ": no longer needs attention"})
		}
	}
	return events
}

// Restart returns an event if the pod is about to be replaced, once for each hash.
func (v *View) Restart() []Event {
	if !v.sendsNewHash() {
		return nil
	}
	return []Event{{Reason: "ConfigHashChanged", Message: fmt.Sprintf(
		"The server restarts: what it reads at its start has changed (configuration %s instead of %s)", shortHash(v.Decision.Annotations.ConfigHash), shortHash(v.Have.StatefulSet.ConfigHash))}}
}

// needsAttention says whether somebody must do something about a condition.
func needsAttention(c observed.Condition) bool {
	switch c.Type {
	case TypeSecretsResolved:
		return c.Status == observed.False && c.Reason != reasonCreating
	case TypeStorageInSync, TypeServicesInSync, TypeServiceMonitorReady, TypePrometheusRuleReady:
		return c.Status == observed.False
	case TypeDatabaseReady:
		return c.Status == observed.False && c.Reason == reasonKindMissing
	case TypeNamesAvailable:
		return c.Status == observed.False && c.Reason == reasonTaken
	case TypeRestartPending:
		return c.Status == observed.True && (c.Reason == string(rollout.ManualPolicy) || c.Reason == reasonRefused)
	}
	return false
}

// shortHash returns enough of a hash to tell it from another.
func shortHash(hash string) string {
	const length = 8
	return hash[:min(length, len(hash))]
}

package wire

import (
	"fmt"
	"log/slog"
	"time"
)

// Settings are those of the platform's settings that every family of resources
// needs.
type Settings struct {
	// Domain is the platform's, without port. Apps are subdomains of it.
	Domain string
	// Scheme and Port complete apps' URLs. An empty Port is left out.
	Scheme, Port string
	// StreamKey signs the URLs of streams, which are secrets.
	StreamKey []byte
	Log       *slog.Logger
	Now       func() time.Time // the clock; nil for the real one
	// RecheckPause is how often the right to a stream is checked while it goes on;
	// five seconds if 0.
	RecheckPause time.Duration
	// WarnOfAll warns clients also of fields that a route does without. A test uses
	// it to find out whether it does.
	WarnOfAll bool
}

// WebURL is the address of an app.
func (s Settings) WebURL(app string) string { return s.BaseURL(app) + "/" }

// BaseURL is the address of a subdomain of the platform's domain.
func (s Settings) BaseURL(name string) string {
	at := fmt.Sprintf("%s://%s.%s", s.Scheme, name, s.Domain)
	if s.Port != "" {
		at += ":" + s.Port
	}
	return at
}

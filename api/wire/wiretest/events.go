package wiretest

import (
	"fmt"
	"net/netip"
	"strings"

	"renga"
)

// FillLog gives every app a log of six lines.
func FillLog(r *Fixture) *Fixture {
	for n, from := range []string{
		"app web.1", "heroku router", "app worker.1", "heroku web.1", "app web.2", "app api",
	} {
		source, dyno, _ := strings.Cut(from, " ")
		r.FakeRooms.Journal.Lines = append(
			r.FakeRooms.Journal.Lines,
			renga.LogLine{
				ID: uint64(n + 1), Time: Born, Source: source, Dyno: dyno, Text: fmt.Sprint("line ", n+1),
			},
		)
	}
	return r
}

// Reachable is what the platform lets webhooks reach: nothing near.
func Reachable(ip netip.Addr) error {
	if ip.IsLoopback() || ip.IsLinkLocalUnicast() {
		return renga.Errorf(renga.Forbidden, "The operator may allow %s with --egress-allow.", ip)
	}
	return nil
}

package wiretest

import (
	"fmt"
	"net/netip"
	"strings"

	"renga"
)

// LogLines are six lines of an app's log, of several sources.
func LogLines() []renga.LogLine {
	var lines []renga.LogLine
	for n, from := range []string{
		"app web.1", "heroku router", "app worker.1", "heroku web.1", "app web.2", "app api",
	} {
		source, dyno, _ := strings.Cut(from, " ")
		lines = append(lines, renga.LogLine{
			ID: uint64(n + 1), Time: Born, Source: source, Dyno: dyno, Text: fmt.Sprint("line ", n+1),
		})
	}
	return lines
}

// Reachable is what the platform lets webhooks reach: nothing near.
func Reachable(ip netip.Addr) error {
	if ip.IsLoopback() || ip.IsLinkLocalUnicast() {
		return renga.Errorf(renga.Forbidden, "The operator may allow %s with --egress-allow.", ip)
	}
	return nil
}

// Package plantest is what the tests of the plan and those of the dyno manager
// share: words for releases and formations, and what the store makes of outcomes.
package plantest

import (
	"fmt"
	"strings"

	"renga"
)

// App is the app of the tests.
const App renga.AppID = "6c1b0f9e-0000-4000-8000-000000000001"

// Images makes "web=serve worker=work" into a release's images.
func Images(what string) map[renga.ProcessType]renga.Image {
	all := map[renga.ProcessType]renga.Image{}
	for _, part := range strings.Fields(what) {
		typ, command, _ := strings.Cut(part, "=")
		all[renga.ProcessType(typ)] = renga.Image{Digest: "sha256:" + command, Command: []string{command}}
	}
	return all
}

// Record makes a release of such words.
func Record(version int, what string, status renga.ReleaseStatus) *renga.ReleaseRecord {
	return &renga.ReleaseRecord{
		App: App, Version: version, Digest: renga.VersionName(version), Images: Images(what),
		Outcome: renga.Outcome{Status: status},
	}
}

// Formation makes "web=2 worker=1:eco" into a formation.
func Formation(what string) renga.Formation {
	f := renga.Formation{}
	for _, part := range strings.Fields(what) {
		typ, scale, _ := strings.Cut(part, "=")
		quantity, size, _ := strings.Cut(scale, ":")
		s := renga.Scale{Size: size}
		if _, err := fmt.Sscan(quantity, &s.Quantity); err != nil {
			panic(err)
		}
		f[renga.ProcessType(typ)] = s
	}
	return f
}

// SetOutcome takes an outcome, and moves Live and Next, as the real store does.
func SetOutcome(d *renga.Desired, outcomes map[int]renga.Outcome, version int, o renga.Outcome) error {
	if was := outcomes[version]; was.Status == renga.Failed && was.Phase == renga.PhaseFailed && o.Status != renga.Failed {
		return renga.Errorf(renga.Conflict, "Release v%d is failed.", version)
	}
	if o.Phase == renga.PhaseNone {
		o.Phase = outcomes[version].Phase
	}
	if until := outcomes[version].CanaryUntil; !until.IsZero() {
		o.CanaryUntil = until
	}
	outcomes[version] = o
	switch {
	case d.Next != nil && d.Next.Version == version && o.Status == renga.Pending:
		r := *d.Next
		r.Outcome = o
		d.Next = &r
	case d.Next != nil && d.Next.Version == version:
		r := *d.Next
		r.Outcome = o
		if o.Status == renga.Succeeded || o.Phase != renga.PhaseFailed && (d.Live == nil || d.Live.Version == version) {
			d.Live = &r
		}
		d.Next = nil
	case d.Live != nil && d.Live.Version == version:
		r := *d.Live
		r.Outcome = o
		d.Live = &r
	}
	return nil
}

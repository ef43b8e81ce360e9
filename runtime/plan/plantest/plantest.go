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

// Images makes "web=serve worker=work" into a release's images. What follows a +
// is a disk, see Mounts.
func Images(what string) map[renga.ProcessType]renga.Image {
	all := map[renga.ProcessType]renga.Image{}
	for _, part := range strings.Fields(what) {
		typ, command, _ := strings.Cut(part, "=")
		command, _, _ = strings.Cut(command, "+")
		all[renga.ProcessType(typ)] = renga.Image{Digest: "sha256:" + command, Command: []string{command}}
	}
	return all
}

// Mounts makes "web=serve+v1 worker=work+shared" into a release's disks: of volume
// v1, which web writes alone, and of one that is shared.
func Mounts(what string) []renga.Mount {
	var all []renga.Mount
	for _, part := range strings.Fields(what) {
		typ, _, _ := strings.Cut(part, "=")
		if _, volume, ok := strings.Cut(part, "+"); ok {
			all = append(all, renga.Mount{
				Volume: volume, Path: "/disk", Types: []renga.ProcessType{renga.ProcessType(typ)}, Shared: volume == "shared",
			})
		}
	}
	return all
}

// Record makes a release of such words.
func Record(version int, what string, status renga.ReleaseStatus) *renga.ReleaseRecord {
	return &renga.ReleaseRecord{
		App: App, Version: version, Digest: renga.VersionName(version), Images: Images(what), Mounts: Mounts(what),
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

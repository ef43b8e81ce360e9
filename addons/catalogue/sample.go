package catalogue

import (
	"maps"
	"slices"
	"strings"

	"renga"
)

// checkRendering fills in every template as for an add-on of each plan and version.
func (f *file) checkRendering(s *Service) {
	if len(f.problems) > 0 {
		return // they would be told again, less well
	}
	versions := slices.Sorted(maps.Keys(s.Versions))
	if len(versions) == 0 {
		versions = []string{""}
	}
	for i, p := range s.Plans {
		for _, version := range versions {
			f.renderSample(s, sample(s, p, version), f.line("plans", i))
			if len(f.problems) > 0 {
				return // further plans would tell the same
			}
		}
	}
}

// sample is as the data of an add-on are.
func sample(s *Service, p Plan, version string) Data {
	if p.Memory == 0 {
		p.Memory = 1 << 30 // of the server that several share
	}
	return Data{
		ID: "01234567-89ab-cdef-0123-456789abcdef", Database: "d0123456789abc",
		Name: s.Prefix + "-curved-12345", Host: s.Prefix + "-curved-12345" + renga.AddOnDomain,
		Port: s.Port, Path: s.Volume, Admin: strings.Repeat("a", 43),
		User: "u" + strings.Repeat("b", 14), Password: strings.Repeat("c", 43), Version: version,
		MemoryBytes: int64(p.Memory), MemoryMB: int64(p.Memory) >> 20, DiskBytes: int64(p.Disk), Connections: p.Connections,
	}
}

func (f *file) renderSample(s *Service, d Data, plan int) {
	for _, t := range s.templates() {
		if _, err := t.Render(d); err != nil {
			f.fail(t.line, "%q cannot be filled in for the plan on line %d: check what it calculates and compares",
				clip(t.text), plan)
		}
	}
}

// templates are all of the service.
func (s *Service) templates() []Template {
	all := slices.Concat(slices.Collect(maps.Values(s.Environment)), s.Arguments, slices.Collect(maps.Values(s.Config)))
	for _, f := range s.Files {
		all = append(all, f.Content)
	}
	commands := append(slices.Collect(maps.Values(s.Usage)), s.Ready, s.Grant, s.Revoke, s.Dump, s.Restore,
		s.Upgrade.Freeze, s.Upgrade.Sums, s.Upgrade.Carry, s.Upgrade.Finish)
	for _, c := range commands {
		all = append(append(all, c.Run...), c.Input)
	}
	slices.SortStableFunc(all, func(a, b Template) int { return a.line - b.line })
	return all
}

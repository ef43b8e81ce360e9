package catalogue

import (
	"strings"

	"renga"
)

// What plans may have: less is no use, more is a mistyped unit.
const (
	minMemory, maxMemory     = Bytes(16 << 20), Bytes(4 << 40)
	minDisk, maxDisk         = Bytes(16 << 20), Bytes(256 << 40)
	minCPU, maxCPU           = 0.01, 1024.0
	maxConnections, maxPlans = 100_000, 50
)

func (f *file) checkPlans(s *Service) {
	f.checkProvider(s.Provider, "provider")
	f.want(len(s.Plans) > 0, f.line("plans"), "plans: name at least one; the first is the default")
	f.want(len(s.Plans) <= maxPlans, f.line("plans"), "plans: there are more than %d", maxPlans)
	seen := map[string]bool{}
	for i := range s.Plans {
		p := &s.Plans[i]
		f.checkPlanNames(p, i, seen)
		if p.Provider == "" {
			p.Provider = s.Provider
		} else {
			f.checkProvider(p.Provider, "plans", i, "provider")
		}
		f.checkSizes(*p, i, s.Volume != "")
	}
}

func (f *file) checkProvider(name string, at ...any) {
	switch name {
	case Container, SharedPostgres, Disk, Partner:
	default:
		all := strings.Join([]string{Container, SharedPostgres, Disk, Partner}, ", ")
		f.fail(f.line(at...), "provider: %q is none of %s", clip(name), all)
	}
}

func (f *file) checkPlanNames(p *Plan, i int, seen map[string]bool) {
	for j, name := range append([]string{p.Name}, p.Aliases...) {
		line := f.line("plans", i, "name")
		if j > 0 {
			line = f.line("plans", i, "aliases", j-1)
		}
		f.want(isName(planName, name), line,
			"plans: %q is no name of a plan: use up to %d lowercase letters, digits and single dashes", clip(name), maxName)
		f.want(!seen[name], line, "plans: there is a plan %q already: give this one another name", clip(name))
		seen[name] = true
	}
	if p.HumanName == "" {
		p.HumanName = humanName(p.Name)
	}
	f.want(len(p.HumanName) <= maxText, f.line("plans", i, "human_name"),
		"human_name: it is longer than %d characters", maxText)
}

// humanName is how people call a plan: Essential 0.
func humanName(name string) string {
	words := strings.Split(name, "-")
	for i, w := range words {
		words[i] = strings.ToUpper(renga.Head(w, 1)) + w[len(renga.Head(w, 1)):]
	}
	return strings.Join(words, " ")
}

func (f *file) checkSizes(p Plan, i int, hasData bool) {
	alone := p.Provider == Container
	at := func(field string) int { return f.line("plans", i, field) }
	if p.Memory != 0 || alone {
		f.want(p.Memory >= minMemory && p.Memory <= maxMemory, at("memory"),
			"memory: plan %q must have between %s and %s", p.Name, minMemory, maxMemory)
	}
	if p.CPU != 0 || alone {
		f.want(p.CPU >= minCPU && p.CPU <= maxCPU, at("cpu"),
			"cpu: plan %q must have between %v and %v CPUs", p.Name, minCPU, maxCPU)
	}
	if p.Disk != 0 || alone && hasData || p.Provider == SharedPostgres || p.Provider == Disk {
		f.want(p.Disk >= minDisk && p.Disk <= maxDisk, at("disk"),
			"disk: plan %q must have between %s and %s", p.Name, minDisk, maxDisk)
	}
	f.want(p.Connections >= 0 && p.Connections <= maxConnections, at("connections"),
		"connections: plan %q must have between 0, for no limit, and %d", p.Name, maxConnections)
	if p.Provider == Disk {
		f.want(p.Memory == 0 && p.CPU == 0 && p.Connections == 0, at("name"),
			"plan %q is of a disk: it has neither memory nor cpu nor connections", p.Name)
	}
}

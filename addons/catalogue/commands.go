package catalogue

import (
	"maps"
	"slices"
)

// checkCommands checks all that is run in the container.
func (f *file) checkCommands(s *Service) {
	f.want(s.Grant.isThere() == s.Revoke.isThere(), f.line("grant"),
		"grant, revoke: one is of no use without the other: write both, or none")
	f.want(s.Dump.isThere() == s.Restore.isThere(), f.line("dump"),
		"dump, restore: one is of no use without the other: write both, or none")
	f.checkCommand(s.Ready, false, "ready")
	f.checkCommand(s.Grant, true, "grant")
	f.checkCommand(s.Revoke, true, "revoke")
	f.checkCommand(s.Dump, false, "dump")
	f.checkCommand(s.Restore, false, "restore")
	f.want(s.Restore.Input.IsZero(), f.line("restore", "input"),
		"restore: its input is the dump: leave this one out")
	f.checkUpgrade(s)
	for _, measure := range slices.Sorted(maps.Keys(s.Usage)) {
		f.want(len(measure) <= maxName && measureName.MatchString(measure), f.line("usage", measure),
			"usage: %q is no name of a measure: use lowercase letters, digits and underscores, such as data_bytes",
			clip(measure))
		f.checkCommand(s.Usage[measure], false, "usage", measure)
	}
}

// checkUpgrade checks the commands with which data come into a newer version.
func (f *file) checkUpgrade(s *Service) {
	u, line := s.Upgrade, f.line("upgrade")
	if below(f.root, "upgrade", new(int)) == nil {
		return
	}
	f.want(u.Freeze.isThere() && u.Sums.isThere() && s.Grant.isThere() && s.Dump.isThere(), line,
		"upgrade: it needs freeze and sums, and of the service grant, dump and restore: write them, or leave it out")
	f.want(u.Carry.isThere() == u.Finish.isThere(), line,
		"upgrade: carry, finish: one is of no use without the other: write both, or none")
	f.want(len(s.Versions) > 1, line, "upgrade: the service has no other version: leave it out")
	f.want(u.Finish.Input.IsZero(), line, "finish: its input is what carry prints: leave this one out")
	all := map[string]Command{"freeze": u.Freeze, "sums": u.Sums, "carry": u.Carry, "finish": u.Finish}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if all[name].isThere() {
			f.checkCommand(all[name], false, "upgrade", name)
		}
	}
}

// isThere tells whether a file has anything of a command.
func (c Command) isThere() bool { return !c.IsZero() || !c.Input.IsZero() }

func (f *file) checkCommand(c Command, hasCredential bool, at ...any) {
	there := below(f.root, at[0], new(int)) != nil
	if c.IsZero() {
		f.want(!there, f.line(at...), "%s: run is missing: it is a list, the program first", at[len(at)-1])
		return
	}
	f.want(!c.Run[0].IsZero(), f.line(append(at, "run")...), "run: the program is missing: it is the first of the list")
	for _, argument := range c.Run {
		f.refuseSecrets(argument)
		if !hasCredential {
			f.refuseCredential(argument)
		}
	}
	if !hasCredential {
		f.refuseCredential(c.Input)
	}
}

// refuseSecrets keeps passwords out of what every process of the machine can read.
func (f *file) refuseSecrets(t Template) {
	for _, field := range []string{"Password", "Admin"} {
		f.refuse(t, field, "every process of the machine can read arguments: "+
			"a password goes into a command's input or a file")
	}
}

// refuseCredential keeps credentials out of what is made once, or run without one.
func (f *file) refuseCredential(t Template) {
	for _, field := range []string{"User", "Password"} {
		f.refuse(t, field, "there is no credential here: only config, grant and revoke have one")
	}
}

// refuseGranted keeps credentials out of what apps get when the service does not
// know them.
func (f *file) refuseGranted(t Template) {
	for _, field := range []string{"User", "Password"} {
		f.refuse(t, field, "no command makes it known to the service: write grant and revoke, or leave it out")
	}
}

func (f *file) refuse(t Template, field, why string) {
	if line, does := t.uses(field); does {
		f.fail(line, "{{.%s}}: %s", field, why)
	}
}

package runtime

import (
	"strings"

	"renga"
)

// program is what a one-off dyno runs: a line for a shell or, when the line
// begins with the name of a process type, what that type runs, with the rest of
// the line behind it, as on Heroku.
type program struct {
	line string   // all of it, for a shell and for people
	argv []string // of the process type; nil for a line of its own
	args string   // what comes behind argv
}

// typeIn is the process type that a line begins with, if a release has it.
func typeIn(line string, images map[renga.ProcessType]renga.Image) (t renga.ProcessType, ok bool) {
	first, _ := firstWord(line)
	img, ok := images[renga.ProcessType(first)]
	return renga.ProcessType(first), ok && len(img.Command) > 0
}

func newProgram(line string, t renga.ProcessType, img renga.Image) program {
	first, args := firstWord(line)
	if first != string(t) || len(img.Command) == 0 {
		return program{line: line}
	}
	p := program{line: renga.CommandLine(img.Command), argv: img.Command, args: args}
	if args != "" {
		p.line += " " + args
	}
	return p
}

// firstWord parts a line behind its first word.
func firstWord(line string) (first, rest string) {
	line = strings.TrimSpace(line)
	end := strings.IndexAny(line, " \t\r\n")
	if end < 0 {
		return line, ""
	}
	return line[:end], strings.TrimSpace(line[end:])
}

// words are the program without a shell.
func (p program) words() []string {
	if p.argv == nil {
		return strings.Fields(p.line)
	}
	return append(append([]string{}, p.argv...), strings.Fields(p.args)...)
}

// plain tells whether it runs exactly what a process type does, which takes no
// shell, or only by its launcher, which takes words.
func (p program) plain() bool {
	return p.argv != nil && (p.args == "" || launched(p.argv))
}

// launched tells whether a command is a process of an image that buildpacks
// made.
func launched(argv []string) bool {
	return len(argv) > 0 && strings.HasPrefix(argv[0], "/cnb/process/")
}

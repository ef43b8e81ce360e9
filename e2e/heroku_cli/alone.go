package herokucli

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
)

// alone are the commands that always get a process of their own: those that talk
// with a terminal or with programs that they start, that read what is typed, that
// keep something on disk for the next one, or that go on for long.
var alone = []string{
	"apps:open", "addons:open", "auth", "container", "git", "keys", "logs", "pg", "ps:copy", "ps:exec", "ps:forward",
	"ps:socks", "ps:wait", "pipelines:promote", "releases:output", "releases:retry", "run", "domains:wait",
}

// oneIn is how many of the other commands of stories share one that gets a process
// of its own nevertheless, so that no story depends on the sharing. As things stand
// these are a tenth of the calls.
const oneIn = 11

// standsAlone tells whether a command always gets a process of its own.
func standsAlone(command string) bool {
	return slices.ContainsFunc(alone, func(name string) bool {
		return command == name || strings.HasPrefix(command, name+":")
	})
}

// getsOwn tells whether a command of a story gets a process of its own. It does
// not depend on the run.
func getsOwn(story, command string, input bool) bool {
	if input || standsAlone(command) {
		return true
	}
	h := fnv.New32a()
	fmt.Fprint(h, story, " ", command)
	return h.Sum32()%oneIn == 0
}

package e2e

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// setUp begins the comment behind a call that is not looked at on purpose; the
// reason follows it.
const setUp = "set-up: "

// Unlooked finds the calls of a script whose outcome nothing looks at, and the
// assertions that cannot fail. A call is looked at
//
//   - when it reads, or must fail: by stdout, stderr, cmp or capture behind it;
//   - when it changes something: somewhere else than in its own words, before
//     the next change. The API's JSON about what it changed will do;
//   - when the API refuses it: by more than a status, unless that says what there
//     is to say, as 401 and 404 do;
//   - when the CLI fails: by more than its own words, which it tells again.
//
// A call with a comment behind it that says "set-up: " and why is let pass.
func Unlooked(script string) []string {
	text, _, _ := strings.Cut(script, "\n-- ")
	var lines []line
	for i, raw := range strings.Split(text, "\n") {
		if l := parse(raw); l.word != "" {
			l.number, l.raw = i+1, raw
			lines = append(lines, l)
		}
	}
	var found []string
	for i, l := range lines {
		if why := l.fault(lines[i+1:]); why != "" {
			found = append(found, fmt.Sprintf("%d: %s: %s", l.number, l.raw, why))
		}
	}
	return found
}

// line is one of a script, without its quotes.
type line struct {
	number  int
	raw     string
	negated bool
	word    string
	args    []string
	comment string
}

// token is a word of a line, where single quotes keep blanks together, or its comment.
var token = regexp.MustCompile(`^\s*(#.*|(?:'[^']*'|[^\s'])+)`)

func parse(raw string) line {
	var l line
	var words []string
	for rest := raw; ; {
		found := token.FindStringSubmatch(rest)
		if found == nil {
			break
		}
		if strings.HasPrefix(found[1], "#") {
			l.comment = strings.TrimSpace(found[1][1:])
			break
		}
		words = append(words, strings.ReplaceAll(found[1], "'", ""))
		rest = rest[len(found[0]):]
	}
	if len(words) > 0 && words[0] == "!" {
		l.negated, words = true, words[1:]
	}
	if len(words) > 0 {
		l.word, l.args = words[0], words[1:]
	}
	return l
}

// fault says what is wrong with a line, given those behind it.
func (l line) fault(rest []line) string {
	if l.void() {
		return "this matches whatever is printed"
	}
	if reason, ok := strings.CutPrefix(l.comment, setUp); ok && reason != "" {
		return ""
	}
	switch {
	case l.changes() && !l.negated:
		if !l.lookedAtElsewhere(rest) {
			return "nothing looks at what this changed, before the next change"
		}
	case l.calls():
		if len(rest) == 0 || !rest[0].looksAtWords() && (l.negated || !l.acts() || !rest[0].looksElsewhere()) {
			return "nothing looks at what this said"
		}
		if l.word == "api" && l.negated && sparse(rest) {
			return "a status does not tell why this was refused"
		}
		if l.word == "heroku" && l.negated && l.echoed(rest) {
			return "what is looked for is in the call itself"
		}
	}
	return ""
}

// ofStatus are patterns of a status that has several reasons.
var ofStatus = regexp.MustCompile(`^\^?\(?(400|403|409|422|429|50\d|40\[\d+\])[|\d]*\)?\$?$`)

// sparse tells whether the looks at what was printed look at such a status alone.
func sparse(rest []line) bool {
	for _, next := range rest {
		if !next.looksAtWords() {
			break
		}
		if !next.negated && !ofStatus.MatchString(strings.Join(next.args, " ")) {
			return false
		}
	}
	return true
}

// echoed tells whether all that is looked for was said in the call.
func (l line) echoed(rest []line) bool {
	call := strings.Join(l.args, " ")
	for _, next := range rest {
		if !next.looksAtWords() {
			break
		}
		pattern, err := regexp.Compile(strings.Join(next.args, " "))
		if !next.negated && (err != nil || !pattern.MatchString(call)) {
			return false
		}
	}
	return true
}

// void tells whether a pattern matches text that has nothing to do with it: most
// words print a status first, and all an end of line last.
func (l line) void() bool {
	patterns := l.args
	if l.word == "waitfor" {
		patterns = l.patterns()
	}
	if l.negated || l.word != "stdout" && l.word != "stderr" && l.word != "waitfor" {
		return false
	}
	return slices.ContainsFunc(patterns, func(p string) bool {
		pattern, err := regexp.Compile("(?m)" + p)
		return err == nil && !strings.Contains(p, "200") && pattern.MatchString("200\n~\n")
	})
}

// patterns are those of a waitfor.
func (l line) patterns() []string {
	if i := slices.Index(l.args, "--"); i >= 0 {
		return l.args[i+1:]
	}
	return nil
}

// calls tells whether the line asks a program or a server for something.
func (l line) calls() bool {
	switch l.word {
	case "heroku", "api", "push", "tunnel", "attach", "login":
		return true
	}
	return l.acts()
}

// acts tells whether it asks for something that either reads or changes.
func (l line) acts() bool {
	switch l.word {
	case "curl", "tls", "containers", "logs", "docker", "redis":
		return true
	}
	return l.word == "renga" && len(l.args) > 0 && l.args[0] == "run"
}

// reading are the commands of the CLI that change nothing.
var reading = regexp.MustCompile(`^(access|addons(:services|:plans|:info|:open|:wait)?|apps(:info|:diff|:open)?|` +
	`auth:(whoami|token)|authorizations(:info)?|buildpacks|certs(:info|:auto)?|config(:get)?|container:pull|` +
	`domains(:info|:wait)?|drains|features(:info)?|git:credentials|keys|labs(:info)?|logs|maintenance|members|` +
	`pg:(info|wait|upgrade:wait|psql|ps|credentials|backups(:info|:url|:download|:schedules)?)|pipelines(:info|:diff)?|` +
	`ps(:wait|:exec|:type|:scale|:resize)?|redis:(info|cli)|regions|releases(:info|:output)?|run|sessions|` +
	`spaces(:info)?|stack|teams|usage:addons|webhooks(:info|:deliveries(:info)?|:events(:info)?)?)$`)

// changes tells whether it is meant to change something.
func (l line) changes() bool {
	switch l.word {
	case "push":
		return true
	case "api":
		return len(l.args) > 0 && l.args[0] != "GET"
	case "heroku":
		args := l.args
		if len(args) > 2 && args[0] == "<" {
			args = args[2:]
		}
		return len(args) > 0 && (!reading.MatchString(args[0]) || scales(args))
	}
	return false
}

// scaling is what tells ps:scale web=2 from ps:scale, which shows how it is.
var scaling = regexp.MustCompile(`^[a-z]+[=+-]\w+`)

func scales(args []string) bool {
	switch args[0] {
	case "ps:scale", "ps:type", "ps:resize":
		return slices.ContainsFunc(args, scaling.MatchString)
	}
	return false
}

// lookedAtElsewhere tells whether the lines behind a change see what it did.
func (l line) lookedAtElsewhere(rest []line) bool {
	own := true // what was printed last are its own words
	for _, next := range rest {
		switch {
		case next.looksElsewhere():
			return true
		case next.looksAtWords():
			if !own || l.word == "api" && next.looksAtJSON() {
				return true
			}
		case next.changes() && !next.negated:
			return false
		case next.calls():
			own = false
		}
	}
	return false
}

// looksAtWords tells whether it looks at what the line before printed.
func (l line) looksAtWords() bool {
	return slices.Contains([]string{"stdout", "stderr", "cmp", "cmpenv", "capture"}, l.word)
}

// looksAtJSON tells a field from a status.
func (l line) looksAtJSON() bool { return strings.ContainsAny(strings.Join(l.args, ""), `"[{`) }

// looksElsewhere tells whether it looks at the platform itself.
func (l line) looksElsewhere() bool {
	switch l.word {
	case "waitup", "waitgone", "followed", "grep", "exists":
		return true
	}
	return l.word == "waitfor" && len(l.patterns()) > 0
}

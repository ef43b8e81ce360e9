package catalogue

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	// maxFile is plenty: the longest shipped file has a tenth of it.
	maxFile = 64 << 10
	// maxProblems of one file are told; the rest would only scroll them away.
	maxProblems = 20
)

// file is one of the catalogue while it is read.
type file struct {
	name     string
	root     *yaml.Node // a mapping
	service  Service
	problems []string
	more     int // problems that are not told
}

// parseFile reads and checks a file. All that is wrong with it is told at once, one
// line each.
func parseFile(name string, content []byte) (Service, error) {
	f := &file{name: name}
	if f.read(content) {
		f.check()
	}
	if f.more > 0 {
		f.problems = append(f.problems, fmt.Sprintf("%s: and %d more", f.name, f.more))
	}
	if len(f.problems) > 0 {
		return Service{}, errors.New(strings.Join(f.problems, "\n"))
	}
	return f.service, nil
}

func (f *file) fail(line int, format string, args ...any) {
	if len(f.problems) == maxProblems {
		f.more++
		return
	}
	what := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", " ")
	f.problems = append(f.problems, fmt.Sprintf("%s:%d: %s", f.name, line, what))
}

// read makes a service of the text. It tells whether there is any use in checking
// it further.
func (f *file) read(content []byte) bool {
	if len(content) > maxFile {
		f.fail(1, "the file has more than %d bytes: it is no service", maxFile)
		return false
	}
	if !f.readNodes(content) {
		return false
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	if err := decoder.Decode(&f.service); err != nil {
		f.failAll(err)
		return false
	}
	return true
}

// readNodes reads the text as YAML: one document, a mapping, without anchors. A
// file of anchors and aliases can be a thousand times what it looks like.
func (f *file) readNodes(content []byte) bool {
	var document, next yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	err := decoder.Decode(&document)
	switch {
	case errors.Is(err, io.EOF):
		f.fail(1, "the file is empty: it must say what the service is, beginning with `service: NAME`")
	case err != nil:
		f.failAll(err)
	case document.Content[0].Kind != yaml.MappingNode:
		f.fail(document.Content[0].Line, "a mapping is wanted, beginning with `service: NAME`")
	default:
		f.root = document.Content[0]
		f.checkNodes(f.root)
		if err := decoder.Decode(&next); !errors.Is(err, io.EOF) {
			f.fail(max(next.Line, 1), "a file holds one service: put what follows --- into another file")
		}
	}
	return len(f.problems) == 0
}

// checkNodes refuses what the library would resolve, or silently take for nothing.
func (f *file) checkNodes(n *yaml.Node) {
	switch {
	case n.Anchor != "" || n.Kind == yaml.AliasNode:
		f.fail(n.Line, "anchors (&) and aliases (*) are not read: write it out, or put the text in quotes")
		return
	case n.Kind == yaml.MappingNode && len(n.Content) > 0 && n.Content[0].Kind == yaml.MappingNode:
		f.fail(n.Line, "in YAML { begins a mapping: put {{ and the text around it in quotes")
		return
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null":
		f.fail(n.Line, `nothing is written here: write a value, or leave the field out; "" is an empty text`)
	}
	for _, below := range n.Content {
		f.checkNodes(below)
	}
}

var (
	onLine       = regexp.MustCompile(`(?s)^(?:yaml: )?line (\d+): (.*)$`)
	unknownField = regexp.MustCompile(`^field (.*) not found in type catalogue\.(\w+)$`)
	wrongType    = regexp.MustCompile("(?s)^cannot unmarshal (!!\\w+)(?: `(.*)`)? into (.*)$")
)

// failAll tells what the library found, in words for people who know neither it
// nor Go.
func (f *file) failAll(err error) {
	all := []string{err.Error()}
	var several *yaml.TypeError
	if errors.As(err, &several) {
		all = several.Errors
	}
	for _, one := range all {
		line, what := 1, strings.TrimPrefix(one, "yaml: ")
		if m := onLine.FindStringSubmatch(one); m != nil {
			line, _ = strconv.Atoi(m[1]) // digits, as the pattern has it
			what = m[2]
		}
		f.fail(line, "%s", reword(what))
	}
}

func reword(what string) string {
	if m := unknownField.FindStringSubmatch(what); m != nil {
		return fmt.Sprintf("there is no field %q here; there are %s", clip(m[1]), strings.Join(fieldsOf(m[2]), ", "))
	}
	if m := wrongType.FindStringSubmatch(what); m != nil {
		found := strings.TrimSpace(named(m[1], tags) + " " + clip(m[2]))
		return fmt.Sprintf("%s is wanted here, not %s", named(m[3], kinds), found)
	}
	return what
}

// fieldsOf lists the fields of one of the types that files are made of.
func fieldsOf(name string) []string {
	var names []string
	for _, t := range []reflect.Type{
		reflect.TypeFor[Service](), reflect.TypeFor[Plan](), reflect.TypeFor[Command](), reflect.TypeFor[File](),
		reflect.TypeFor[PartnerFacts](), reflect.TypeFor[Upgrade](),
	} {
		for field := range t.Fields() {
			if t.Name() == name {
				names = append(names, field.Tag.Get("yaml"))
			}
		}
	}
	return names
}

// kinds are the library's words for what is wanted, tags those for what is there.
var (
	kinds = []word{
		{"map[", "a mapping"}, {"[]", "a list"}, {"catalogue.Command", "a mapping with run and perhaps input"},
		{"catalogue.File", "a mapping with content and owner"},
		{"catalogue.PartnerFacts", "a mapping"}, {"catalogue.Plan", "a mapping"}, {"catalogue.Upgrade", "a mapping"},
		{"float", "a number"}, {"int", "a whole number"}, {"string", "a text"},
	}
	tags = []word{
		{"!!map", "a mapping"}, {"!!seq", "a list"}, {"!!str", "the text"}, {"!!int", "the number"},
		{"!!float", "the number"},
	}
)

type word struct{ begin, say string }

func named(what string, words []word) string {
	for _, w := range words {
		if strings.HasPrefix(what, w.begin) {
			return w.say
		}
	}
	return what
}

// line is where a part of the file is: names of fields, and places in lists. Of one
// that is not there it is where it would be.
func (f *file) line(path ...any) int {
	n, line := f.root, f.root.Line
	for _, step := range path {
		if n = below(n, step, &line); n == nil {
			break
		}
	}
	return line
}

// below finds one step of a path. A mapping's line is that of the name.
func below(n *yaml.Node, step any, line *int) *yaml.Node {
	if i, ok := step.(int); ok && n.Kind == yaml.SequenceNode && i < len(n.Content) {
		*line = n.Content[i].Line
		return n.Content[i]
	}
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == step {
			*line = n.Content[i].Line
			return n.Content[i+1]
		}
	}
	return nil
}

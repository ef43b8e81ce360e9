package catalogue

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"

	"go.yaml.in/yaml/v3"
)

// Template is a text with places for [Data], as of text/template. What it may hold
// is little, so that a file can be judged before it is used: texts, {{.Field}},
// {{if}} with {{else}}, comparisons, and-or-not, and the functions add, mul and div.
type Template struct {
	text     string
	compiled *template.Template
	line     int // where its text begins, in its file
}

// NewTemplate compiles a text.
func NewTemplate(text string) (Template, error) {
	t := Template{text: text, line: 1}
	return t, t.compile()
}

// UnmarshalYAML reads a template.
func (t *Template) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return lineError(n.Line, "a text is wanted here, not a list or a mapping")
	}
	*t = Template{text: n.Value, line: n.Line}
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		t.line++ // the text begins below the | or >
	}
	return t.compile()
}

// IsZero tells whether there is no text.
func (t Template) IsZero() bool { return t.text == "" }

// functions are those that templates may call; comparisons are the library's.
var functions = template.FuncMap{
	"add": func(a, b any) (int64, error) { return calculate(a, b, func(a, b int64) int64 { return a + b }) },
	"mul": func(a, b any) (int64, error) { return calculate(a, b, func(a, b int64) int64 { return a * b }) },
	"div": func(a, b any) (int64, error) {
		if n, ok := whole(b); ok && n == 0 {
			return 0, errors.New("division by zero")
		}
		return calculate(a, b, func(a, b int64) int64 { return a / b })
	},
}

// comparisons are the library's functions that templates may call.
var comparisons = []string{"and", "or", "not", "eq", "ne", "lt", "le", "gt", "ge"}

func calculate(a, b any, do func(a, b int64) int64) (int64, error) {
	x, xIs := whole(a)
	y, yIs := whole(b)
	if !xIs || !yIs {
		return 0, errors.New("only whole numbers can be calculated with")
	}
	return do(x, y), nil
}

func whole(v any) (int64, bool) {
	switch n := v.(type) {
	case int:
		return int64(n), true
	case int64:
		return n, true
	}
	return 0, false
}

// compile parses the text and refuses what it may not hold.
func (t *Template) compile() error {
	compiled, err := template.New("t").Option("missingkey=error").Funcs(functions).Parse(t.text)
	if err != nil {
		return t.parseError(err)
	}
	t.compiled = compiled
	if len(compiled.Templates()) > 1 {
		return lineError(t.line, "a template may not define others")
	}
	return t.eachNode(t.allowed)
}

// parseError tells what the library said of the text: template: t:LINE: what is wrong.
func (t *Template) parseError(err error) error {
	line, what := t.line, strings.TrimPrefix(err.Error(), "template: t:")
	var below int
	if number, rest, ok := strings.Cut(what, ": "); ok {
		if _, scanErr := fmt.Sscanf(number, "%d", &below); scanErr == nil {
			line, what = line+below-1, rest
		}
	}
	return lineError(line, "%s", what)
}

// eachNode calls look with every part of the text, and the line that it is on.
func (t *Template) eachNode(look func(n parse.Node, line int) error) error {
	if t.compiled == nil || t.compiled.Tree == nil {
		return nil
	}
	return walk(t.compiled.Root, func(n parse.Node) error {
		position := min(int(n.Position()), len(t.text))
		return look(n, t.line+strings.Count(t.text[:position], "\n"))
	})
}

// walk calls look with a node and all below it.
func walk(n parse.Node, look func(parse.Node) error) error {
	if reflect.ValueOf(n).IsNil() {
		return nil // an if without else
	}
	if err := look(n); err != nil {
		return err
	}
	var below []parse.Node
	switch n := n.(type) {
	case *parse.ListNode:
		below = n.Nodes
	case *parse.ActionNode:
		below = []parse.Node{n.Pipe}
	case *parse.IfNode:
		below = []parse.Node{n.Pipe, n.List, n.ElseList}
	case *parse.PipeNode:
		for _, c := range n.Cmds {
			below = append(below, c)
		}
	case *parse.CommandNode:
		below = n.Args
	}
	for _, b := range below {
		if err := walk(b, look); err != nil {
			return err
		}
	}
	return nil
}

// allowed refuses what a template may not hold. Above all there is no way to print
// all of the data, or to give a field another name: which passwords a text has in
// it can be read from its fields.
func (t *Template) allowed(n parse.Node, line int) error {
	switch n := n.(type) {
	case *parse.ListNode, *parse.TextNode, *parse.CommentNode, *parse.ActionNode, *parse.IfNode, *parse.CommandNode,
		*parse.StringNode, *parse.NumberNode, *parse.BoolNode:
		return nil
	case *parse.PipeNode:
		if len(n.Decl) == 0 {
			return nil
		}
	case *parse.IdentifierNode:
		if _, ours := functions[n.Ident]; ours || slices.Contains(comparisons, n.Ident) {
			return nil
		}
	case *parse.FieldNode:
		return knownField(n, line)
	}
	return lineError(line, "%s: templates have only {{.Field}}, {{if}}, %s, add, mul and div",
		clip(n.String()), strings.Join(comparisons, ", "))
}

func knownField(n *parse.FieldNode, line int) error {
	var names []string
	for field := range reflect.TypeFor[Data]().Fields() {
		names = append(names, field.Name)
	}
	if len(n.Ident) == 1 && slices.Contains(names, n.Ident[0]) {
		return nil
	}
	return lineError(line, "there is no {{%s}}; there are %s", clip(n.String()), strings.Join(names, ", "))
}

// uses tells whether the text has a field in it, and on which line.
func (t *Template) uses(field string) (line int, does bool) {
	_ = t.eachNode(func(n parse.Node, at int) error { // look gives no error
		if f, ok := n.(*parse.FieldNode); ok && f.Ident[0] == field && !does {
			line, does = at, true
		}
		return nil
	})
	return line, does
}

// maxRendered bounds what one template may become.
const maxRendered = 64 << 10

// Render puts data into the text. The error never has any of them in it.
func (t Template) Render(d Data) (string, error) {
	if t.compiled == nil {
		return t.text, nil
	}
	if err := d.check(); err != nil {
		return "", err
	}
	var b strings.Builder
	if err := t.compiled.Execute(&b, d); err != nil {
		// The library's text may quote a value.
		return "", fmt.Errorf("the template on line %d cannot be filled in", t.line)
	}
	if b.Len() > maxRendered {
		return "", fmt.Errorf("the template on line %d becomes longer than %d bytes", t.line, maxRendered)
	}
	return b.String(), nil
}

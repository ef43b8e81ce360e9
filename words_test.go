package renga_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// plainWords says for each word that once was in a private language of ours what
// to say instead; see the glossary in ARCHITECTURE.md. No identifier has such a word.
var plainWords = map[string]string{
	"beat":      "touch, note",
	"course":    "trend",
	"crowd":     "ConnLimiter",
	"desk":      "Server",
	"dismiss":   "drop",
	"doze":      "fall asleep",
	"excuse":    "UndoAttempt, or tell the failure",
	"farewell":  "drain, or a timeout",
	"greet":     "check, read",
	"guest":     "client",
	"happening": "event",
	"house":     "platform",
	"letter":    "line, request",
	"mailbox":   "queue",
	"nap":       "sleep",
	"parcel":    "DeliveryJob",
	"patience":  "timeout",
	"poke":      "interrupt",
	"quiet":     "the library's log adapter, or discard",
	"rig":       "fixture",
	"roller":    "rollingDeadline",
	"rouse":     "wakeUp",
	"sheet":     "recording",
	"sight":     "what is visible",
	"shelf":     "collection, Outputs",
	"talk":      "relay",
	"tend":      "keep, look after",
	"town":      "fixture, or fakeX",
	"verse":     "version",
	"verses":    "versions",
	"visit":     "RequestInfo, access",
	"visited":   "reached",
	"visits":    "access",
	"visitor":   "client",
	"world":     "fixture, or Platform",
}

// notYet are rooms that are still being built; every other is guarded.
var notYet = map[string]bool{"addons/partner": true}

func TestIdentifiersArePlainWords(t *testing.T) {
	fset := token.NewFileSet()
	for _, f := range sources(t) {
		if notYet[f.room] {
			continue
		}
		syntax, err := parser.ParseFile(fset, f.name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		guard := func(id *ast.Ident) {
			for _, word := range wordsOf(id.Name) {
				if say, ok := plainWords[word]; ok {
					t.Errorf("%s: %s: do not say %q, say %s", fset.Position(id.Pos()), id.Name, word, say)
				}
			}
		}
		name := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(f.name), ".go"), "_test")
		guard(&ast.Ident{Name: name, NamePos: syntax.Package})
		ast.Inspect(syntax, func(n ast.Node) bool {
			for _, id := range declares(n) {
				guard(id)
			}
			return true
		})
	}
}

// declares lists the names that a node declares, but for those of tests, which are
// sentences.
func declares(n ast.Node) []*ast.Ident {
	switch n := n.(type) {
	case *ast.FuncDecl:
		if !strings.HasPrefix(n.Name.Name, "Test") {
			return []*ast.Ident{n.Name}
		}
	case *ast.TypeSpec:
		return []*ast.Ident{n.Name}
	case *ast.ValueSpec:
		return n.Names
	case *ast.Field:
		return n.Names
	case *ast.AssignStmt:
		var names []*ast.Ident
		for _, e := range n.Lhs {
			if id, ok := e.(*ast.Ident); ok && n.Tok == token.DEFINE {
				names = append(names, id)
			}
		}
		return names
	}
	return nil
}

var wordPattern = regexp.MustCompile(`[A-Z]*[a-z]+`)

// wordsOf splits an identifier into its words, in lower case.
func wordsOf(identifier string) []string {
	return strings.Fields(strings.ToLower(wordPattern.ReplaceAllString(identifier, " $0 ")))
}

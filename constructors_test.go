package renga_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// TestConstructorsStartNothing: what is made can be thrown away, and whoever runs it
// says when it begins and knows when it has ended.
func TestConstructorsStartNothing(t *testing.T) {
	fset := token.NewFileSet()
	for _, f := range sources(t) {
		if strings.HasSuffix(f.name, "_test.go") || strings.HasSuffix(f.room, "test") || strings.HasPrefix(f.room, "e2e") {
			continue
		}
		syntax, err := parser.ParseFile(fset, f.name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range syntax.Decls {
			made, ok := d.(*ast.FuncDecl)
			if !ok || !strings.HasPrefix(strings.ToLower(made.Name.Name), "new") {
				continue
			}
			for _, start := range starts(made.Body) {
				t.Errorf("%s: %s starts a goroutine: let a method Run do it", fset.Position(start.Pos()), made.Name.Name)
			}
		}
	}
}

// starts finds where goroutines are started: by go, by a group's Go, or by time or
// context after a while.
func starts(body *ast.BlockStmt) []ast.Node {
	var all []ast.Node
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false // it runs later
		case *ast.GoStmt:
			all = append(all, n)
		case *ast.CallExpr:
			if called, ok := n.Fun.(*ast.SelectorExpr); ok && (called.Sel.Name == "Go" || called.Sel.Name == "AfterFunc") {
				all = append(all, n)
			}
		}
		return true
	})
	return all
}

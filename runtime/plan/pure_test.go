package plan_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// computes are the packages that can only compute, but for the words in does.
var computes = []string{
	"cmp", "errors", "fmt", "maps", "slices", "strings", "time",
	"github.com/google/uuid", // only of what it is given
	"renga", "renga/runtime/engine",
}

// does are the parts of those packages that look at a clock, wait, print or draw.
var does = []string{
	"time.Now", "time.Since", "time.Until", "time.Sleep", "time.After", "time.AfterFunc", "time.Tick", "time.NewTimer", "time.NewTicker",
	"fmt.Print", "fmt.Println", "fmt.Printf", "fmt.Fprint", "fmt.Fprintln", "fmt.Fprintf", "fmt.Scan", "fmt.Scanln", "fmt.Scanf",
	"uuid.New", "uuid.NewString", "uuid.NewRandom", "uuid.NewUUID", "uuid.NewV7", "uuid.Must",
}

// TestThePlanIsPure: it has no context, no clock of its own, no goroutine and
// nothing to read from or write to.
func TestThePlanIsPure(t *testing.T) {
	names, err := filepath.Glob("*.go")
	if err != nil || len(names) == 0 {
		t.Fatalf("files: %q, %v", names, err)
	}
	fset := token.NewFileSet()
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, imp := range file.Imports {
			if path := strings.Trim(imp.Path.Value, `"`); !slices.Contains(computes, path) {
				t.Errorf("%s imports %s, which may do more than compute", name, path)
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if why := impure(n); why != "" {
				t.Errorf("%s: %s", fset.Position(n.Pos()), why)
			}
			return true
		})
	}
}

// impure says what a piece of code does besides computing.
func impure(n ast.Node) string {
	switch n := n.(type) {
	case *ast.GoStmt:
		return "a goroutine"
	case *ast.ChanType, *ast.SelectStmt:
		return "a channel"
	case *ast.SelectorExpr:
		if x, ok := n.X.(*ast.Ident); ok && slices.Contains(does, x.Name+"."+n.Sel.Name) {
			return x.Name + "." + n.Sel.Name
		}
	}
	return ""
}

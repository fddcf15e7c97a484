package lazyregexp

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"os/exec"
	"strings"
	"testing"
)

// A wrong pattern would show where it is first used, so all constant ones of the program are
// compiled here.
func TestPatterns(t *testing.T) {
	packages, err := exec.Command("go", "list", "-f", "{{range .GoFiles}}{{$.Dir}}/{{.}} {{end}}", "pidgeon/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	compiled := 0
	for names := range strings.Lines(string(packages)) {
		set, files := token.NewFileSet(), []*ast.File(nil)
		for _, name := range strings.Fields(names) {
			file, err := parser.ParseFile(set, name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
		// Nothing is imported, because no pattern has a constant of another package.
		known := types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
		config := types.Config{Error: func(error) {}}
		_, _ = config.Check("", set, files, &known)
		for _, file := range files {
			ast.Inspect(file, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok || types.ExprString(call.Fun) != "lazyregexp.New" {
					return true
				}
				if text := known.Types[call.Args[0]].Value; text != nil {
					New(constant.StringVal(text)).get()
					compiled++
				}
				return true
			})
		}
	}
	if compiled == 0 {
		t.Error("no patterns found")
	}
}

package provider_test

import (
	"fmt"
	"strings"
	"testing"

	"renga"
	"renga/addons/catalogue"
	"renga/addons/provider"
)

func TestFigure(t *testing.T) {
	i := provider.Instance{Service: catalogue.Service{Name: "redis"}}
	for printed, want := range map[string]int64{
		"42\n": 42, " -1 ": -1, "9223372036854775807": 1<<63 - 1, "": 0, "4 2": 0, "m4rk3r": 0,
		strings.Repeat("1", 1<<20): 0, "7" + strings.Repeat(" ", 1<<20): 7,
	} {
		var f provider.Figure
		for _, piece := range strings.SplitAfter(printed, "") {
			if n, err := f.Write([]byte(piece)); n != len(piece) || err != nil {
				t.Fatalf("%d of %d bytes are taken, %v", n, len(piece), err)
			}
		}
		got, err := f.Number(i, "connections")
		if got != want || (err == nil) != (want != 0) {
			t.Errorf("%.20q is %d, %v; want %d", printed, got, err, want)
		}
		if err != nil && (renga.KindOf(err) != renga.Unavailable || strings.Contains(fmt.Sprint(err), "m4rk3r")) {
			t.Errorf("the error is %v", err)
		}
	}
}

package api_test

import (
	"testing"
)

func TestPlaces(t *testing.T) {
	run(t, []scenario{
		{
			Name: "sizes, small first", URL: "/dyno-sizes",
			Has: []string{
				`"compute":1,"cost":null,"dedicated":false,"dyno_units":0,"precise_dyno_units":0,`,
				`"memory":0.5,"name":"Eco"`, `"memory":2.5,"name":"Performance-M"`,
			},
		},
		{Name: "size in any case", URL: "/dyno-sizes/STANDARD-1x", Has: []string{`"name":"Standard-1X"`}},
		{Name: "unknown size", URL: "/dyno-sizes/huge", Status: 404},
		{Name: "regions", URL: "/regions", Has: []string{`"name":"us"`}},
		{Name: "region", URL: "/regions/us", Has: []string{`"name":"us"`}},
		{Name: "unknown region", URL: "/regions/eu", Status: 404},
		{Name: "stacks", URL: "/stacks", Has: []string{`"name":"container"`}},
		{Name: "stack", URL: "/stacks/container", Has: []string{`"name":"container"`}},
		{Name: "unknown stack", URL: "/stacks/heroku-24", Status: 404},
	})
}

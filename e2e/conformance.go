package e2e

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// conformanceVersion is the OCI distribution-spec's own suite that the registry is
// tried with.
const (
	conformanceModule  = "github.com/opencontainers/distribution-spec/conformance"
	conformanceVersion = "v0.0.0-20260831232431-97274622c111"
)

// Conformance runs the suite against the platform's registry, of version 1.1 of the
// specification with nothing switched off, and gives what became of each of its
// tests. It is a program of its own, so that nothing of it is part of this module.
func (w *Platform) Conformance(ctx context.Context, app string) ([]ConformanceTest, error) {
	suite, err := installConformance(ctx)
	if err != nil {
		return nil, err
	}
	token, err := w.Token(ctx)
	if err != nil {
		return nil, err
	}
	results := filepath.Join(w.home, "conformance")
	cmd := exec.CommandContext(ctx, suite)
	cmd.Dir = w.home
	cmd.Env = append(os.Environ(), "OCI_VERSION=1.1", "OCI_REGISTRY="+w.Addr, "OCI_TLS=disabled",
		"OCI_REPO1="+app+"/web", "OCI_REPO2="+app+"/worker", "OCI_USERNAME=_", "OCI_PASSWORD="+token,
		"OCI_RESULTS_DIR="+results)
	out, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) { // which it does with 1 if a test fails
		return nil, fmt.Errorf("run the conformance suite: %w", err)
	}
	raw, err := os.ReadFile(filepath.Join(results, "junit.xml"))
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, tail(string(out), 20))
	}
	return readConformance(raw)
}

// ConformanceTest is one test of the suite: a request, or a few, with what must be
// answered.
type ConformanceTest struct {
	Name   string `xml:"name,attr"`
	Status string `xml:"status,attr"` // passed, failure, skipped, error
	Output string `xml:"system-out"`
}

func readConformance(raw []byte) ([]ConformanceTest, error) {
	var report struct {
		Suites []struct {
			Tests []ConformanceTest `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(raw, &report); err != nil {
		return nil, fmt.Errorf("read the conformance suite's report: %w", err)
	}
	var all []ConformanceTest
	for _, suite := range report.Suites {
		all = append(all, suite.Tests...)
	}
	return all, nil
}

// Category is which of the specification's four categories a test is about.
func (c ConformanceTest) Category() string {
	parts := strings.Split(c.Name, "/")
	last, before := parts[len(parts)-1], parts[max(0, len(parts)-2)]
	switch {
	case strings.HasSuffix(last, "-delete"):
		return "management"
	case last == "referrers" || last == "tag-list" || last == "tag list":
		return "discovery"
	case before == "push", strings.HasPrefix(last, "blob-p"), strings.HasPrefix(last, "blob-mount"), last == "manifest-put",
		strings.HasPrefix(before, "bad "):
		return "push"
	}
	return "pull"
}

// installConformance gives the path of the suite. When it is not in the user's cache
// it is built there, once.
func installConformance(ctx context.Context) (suite string, err error) {
	dir, err := cacheDir("conformance-" + conformanceVersion)
	if err != nil {
		return "", err
	}
	unlock, err := Lock("conformance")
	if err != nil {
		return "", err
	}
	defer unlock()
	suite = filepath.Join(dir, "conformance")
	if _, err := os.Stat(suite); err == nil {
		return suite, nil
	}
	cmd := exec.CommandContext(ctx, "go", "install", conformanceModule+"@"+conformanceVersion)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOBIN="+dir, "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the conformance suite: %w\n%s", err, out)
	}
	return suite, nil
}

package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"renga/e2e"
)

// TestAWebThatNeverListensLeavesTheOldOneAlone: it is told why, with the last
// words of the dyno.
func TestAWebThatNeverListensLeavesTheOldOneAlone(t *testing.T) {
	s := newStory(t)
	s.start("--boot-timeout=3s")
	s.push("hello", "good")
	s.up("hello", "good")
	s.settled("hello", 2, "succeeded")
	dynos := s.runs("hello", "web.1 v2")
	s.push("hello", "mute", "silent")
	failed := s.settled("hello", 3, "failed")
	if !strings.Contains(failed.Reason, "R10") || !strings.Contains(failed.Reason, "3 seconds") {
		t.Errorf("the reason is %q", failed.Reason)
	}
	if !strings.Contains(strings.Join(failed.Log, "\n"), "I shall not listen") {
		t.Errorf("the last log lines are %q", failed.Log)
	}
	s.runs("hello", "web.1 v2")
	s.untouched("hello", dynos)
	s.serves("hello", "good")
	s.push("hello", "astray", "elsewhere")
	if failed = s.settled("hello", 4, "failed"); !strings.Contains(failed.Reason, "9999") || !strings.Contains(failed.Reason, "8080") {
		t.Errorf("the reason is %q, want where it listens and where it must", failed.Reason)
	}
	s.push("hello", "brief", "exit", "0")
	if failed = s.settled("hello", 5, "failed"); !strings.Contains(failed.Reason, "status 0") {
		t.Errorf("the reason is %q, want the exit code", failed.Reason)
	}
	s.runs("hello", "web.1 v2")
	s.untouched("hello", dynos)
}

// TestAWebThatEatsMemoryIsToldSo lets it use more than its size allows.
func TestAWebThatEatsMemoryIsToldSo(t *testing.T) {
	s := newStory(t)
	s.start("--sizes=tiny=48MB:1")
	s.push("hello", "modest")
	s.up("hello", "modest")
	s.scale("hello", "web", 1, "tiny")
	s.poll(func() error { return s.limits(48<<20, 512, 100_000) })
	s.push("hello", "hungry", "eat")
	if failed := s.settled("hello", 3, "failed"); !regexp.MustCompile(`(?i)memory.*R1[45]`).MatchString(failed.Reason) {
		t.Errorf("the reason is %q", failed.Reason)
	}
	s.serves("hello", "modest")
}

// TestAChangedSizeHoldsInTheControlGroup looks from inside the dyno.
func TestAChangedSizeHoldsInTheControlGroup(t *testing.T) {
	s := newStory(t)
	s.start()
	s.push("hello", "sized")
	s.up("hello", "sized")
	s.must(s.limits(512<<20, 256, 100_000))
	s.scale("hello", "web", 1, "performance-m")
	s.poll(func() error { return s.limits(2560<<20, 16384, 200_000) })
	s.scale("hello", "web", 1, "eco")
	s.poll(func() error { return s.limits(512<<20, 256, 50_000) })
}

// limits is nil when the app's dyno feels those: bytes, processes, microseconds
// of processor in each tenth of a second. A dyno is stopped at twice its memory.
func (s *story) limits(memory, pids, cpu int) error {
	answer, err := s.w.Get(s.Context(), "hello", "/cgroup")
	if err != nil {
		return err
	}
	want := fmt.Sprintf("memory.max %d\npids.max %d\ncpu.max %d", 2*memory, pids, cpu)
	if got := strings.TrimSpace(string(answer.Body)); got != want && got != want+" 100000" {
		return fmt.Errorf("limits are\n%s\nwant\n%s", got, want)
	}
	return nil
}

// TestADynoThatIgnoresSIGTERMIsGivenItsTime and not more.
func TestADynoThatIgnoresSIGTERMIsGivenItsTime(t *testing.T) {
	const grace = 3 * time.Second
	s := newStory(t)
	s.start("--stop-grace=" + grace.String())
	s.push("hello", "deaf", "stubborn")
	s.up("hello", "deaf")
	s.settled("hello", 2, "succeeded")
	begin := time.Now()
	s.scale("hello", "web", 0, "")
	s.runs("hello")
	if took := time.Since(begin); took < grace || took > grace+30*time.Second {
		t.Errorf("it was gone after %s, want %s", took, grace)
	}
	s.noneTooMany(0, 1)
	s.must(s.logs("R12")())
}

// TestADynoKnowsWhereItIsAndMayDoLittle looks at what a dyno is started with.
func TestADynoKnowsWhereItIsAndMayDoLittle(t *testing.T) {
	s := newStory(t)
	s.start()
	s.push("hello", "told")
	s.up("hello", "told")
	s.settled("hello", 2, "succeeded")
	id := s.runs("hello", "web.1 v2")[0]
	containers, err := s.w.Containers(t.Context(), "hello")
	s.must(err)
	for name, pattern := range map[string]string{
		"PORT": `^8080$`, "DYNO": `^web\.1$`, "HEROKU_APP_NAME": `^hello$`, "HEROKU_APP_ID": `^[0-9a-f-]{36}$`,
		"HEROKU_DYNO_ID": `^[0-9a-f-]{36}$`, "HEROKU_RELEASE_VERSION": `^v2$`,
		"HEROKU_RELEASE_CREATED_AT": `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`, "HEROKU_SLUG_COMMIT": `[0-9a-f]{64}$`,
		"HEROKU_SLUG_DESCRIPTION": `^Deploy [0-9a-f]{12}$`, "HEROKU_APP_DEFAULT_DOMAIN_NAME": `^hello\.renga\.localhost$`,
	} {
		if got := containers[0].Env[name]; !regexp.MustCompile(pattern).MatchString(got) {
			t.Errorf("%s is %q, want %s", name, got, pattern)
		}
	}
	s.confined(id, containers[0])
}

// confined looks at the container's settings and at what the kernel says of the
// process in it.
func (s *story) confined(id string, c e2e.Container) {
	s.Helper()
	out, err := s.w.Docker(s.Context(), "inspect", "--format", "{{json .HostConfig}}", id)
	s.must(err)
	var host struct {
		Init          bool
		Privileged    bool
		RestartPolicy struct{ Name string }
		LogConfig     struct {
			Type   string
			Config map[string]string
		}
	}
	s.must(json.Unmarshal([]byte(out), &host))
	if !host.Init || host.Privileged || host.RestartPolicy.Name != "no" {
		s.Errorf("the container is %+v", host)
	}
	if host.LogConfig.Type != "json-file" || host.LogConfig.Config["max-size"] == "" || host.LogConfig.Config["max-file"] == "" {
		s.Errorf("the container's log has no cap: %+v", host.LogConfig)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.Pid))
	s.must(err)
	// Capabilities as bits: chown, dac_override, fowner, fsetid, kill, setgid,
	// setuid, net_bind_service.
	for _, line := range []string{"NoNewPrivs:\t1", "CapBnd:\t00000000000004fb", "Seccomp:\t2"} {
		if !strings.Contains(string(status), line+"\n") {
			s.Errorf("the dyno's process lacks %q:\n%s", line, status)
		}
	}
}

package docker_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"renga"
)

func TestSizeIsAppliedToTheCgroup(t *testing.T) {
	w := newFixture(t)
	s := w.spec("serve")
	s.Size = renga.Size{Name: "odd", MemoryBytes: 48 << 20, CPUs: 0.25, Pids: 33}
	pid := w.inspect(w.start(s).ID).State.Pid

	for _, c := range []struct{ controller, v1, v2, want string }{
		{"memory", "memory.limit_in_bytes", "memory.max", "100663296"},
		{"memory", "memory.soft_limit_in_bytes", "memory.low", "50331648"},
		{"cpu", "cpu.cfs_quota_us", "cpu.max", "25000"},
		{"pids", "pids.max", "pids.max", "33"},
	} {
		if got := cgroup(t, pid, c.controller, c.v1, c.v2); got != c.want {
			t.Errorf("%s limit is %s; want %s", c.controller, got, c.want)
		}
	}
}

func TestSizeMayHaveMoreProcessorsThanTheMachine(t *testing.T) {
	w := newFixture(t)
	s := w.spec("serve")
	s.Size.CPUs = 512
	pid := w.inspect(w.start(s).ID).State.Pid
	if got := cgroup(t, pid, "cpu", "cpu.cfs_quota_us", "cpu.max"); got != "51200000" {
		t.Errorf("cpu limit is %s", got)
	}
}

func TestSizeThatDockerRefusesIsInvalid(t *testing.T) {
	w := newFixture(t)
	s := w.spec("serve")
	s.Size.MemoryBytes = 1024
	_, err := w.engine.Start(t.Context(), s)
	if renga.KindOf(err) != renga.Invalid || !strings.Contains(renga.MessageOf(err, ""), `"tiny"`) {
		t.Errorf("error %v of kind %q; want an invalid one that names the size", err, renga.KindOf(err))
	}
}

// cgroup reads the first word of a limit of a process's cgroup, wherever the
// controller is mounted: /sys/fs/cgroup/<controller>/<path> in version 1,
// /sys/fs/cgroup/<path> in version 2.
func cgroup(t *testing.T, pid int, controller, v1, v2 string) string {
	t.Helper()
	groups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		t.Fatal(err)
	}
	file := ""
	for line := range strings.Lines(string(groups)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3) // number:controllers:path
		switch {
		case parts[0] == "0" && file == "":
			file = filepath.Join("/sys/fs/cgroup", parts[2], v2)
		case strings.Contains(","+parts[1]+",", ","+controller+","):
			file = filepath.Join("/sys/fs/cgroup", parts[1], parts[2], v1)
		}
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(content))[0]
}

func TestDynoIsConfined(t *testing.T) {
	w := newFixture(t)
	status := procStatus(t, w.inspect(w.start(w.spec("serve")).ID).State.Pid)
	// CHOWN 0, DAC_OVERRIDE 1, FOWNER 3, FSETID 4, KILL 5, SETGID 6, SETUID 7,
	// NET_BIND_SERVICE 10: see capability.h.
	const want = "00000000000004fb"
	for field, value := range map[string]string{
		"CapPrm": want, "CapEff": want, "CapBnd": want, "CapAmb": "0000000000000000", "NoNewPrivs": "1", "Seccomp": "2",
	} {
		if status[field] != value {
			t.Errorf("%s is %s; want %s", field, status[field], value)
		}
	}
}

func procStatus(t *testing.T, pid int) map[string]string {
	t.Helper()
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]string{}
	for line := range strings.Lines(string(content)) {
		key, value, _ := strings.Cut(line, ":")
		fields[key] = strings.TrimSpace(value)
	}
	return fields
}

func TestDynoOverItsMemoryIsToldToBeOutOfMemory(t *testing.T) {
	w := newFixture(t)
	s := w.spec("eat-memory")
	s.Size.MemoryBytes = 16 << 20
	in := w.exited(s.App, w.start(s).ID)
	if !in.OOMKilled || in.ExitCode != 137 {
		t.Errorf("out of memory %v, exit code %d; want true, 137", in.OOMKilled, in.ExitCode)
	}
}

func TestContainerIsMadeAsAgreed(t *testing.T) {
	w := newFixture(t, func(o *options) { o.LogMaxBytes = 123456 })
	s := w.spec("serve")
	s.Name = "my_worker.12"
	c := w.inspect(w.start(s).ID)

	for what, got := range map[string][2]string{
		"name":        {c.Name, "/renga-blog-my_worker.12-" + s.Dyno[:8]},
		"host name":   {c.Config.Hostname, "my-worker-12"},
		"log driver":  {c.HostConfig.LogConfig.Type, "json-file"},
		"log size":    {c.HostConfig.LogConfig.Config["max-size"], "123456"},
		"log files":   {c.HostConfig.LogConfig.Config["max-file"], "2"},
		"restart":     {string(c.HostConfig.RestartPolicy.Name), "no"},
		"stop signal": {c.Config.StopSignal, "SIGTERM"},
		"healthcheck": {fmt.Sprint(c.Config.Healthcheck.Test, c.Config.Healthcheck.Interval), "[CMD /bin/dyno exit] 1s"},
		"command":     {fmt.Sprint(c.Config.Entrypoint, c.Config.Cmd), "[/bin/dyno serve] []"},
		"published":   {fmt.Sprint(c.HostConfig.PortBindings), "map[]"},
		"networks":    {fmt.Sprint(len(c.NetworkSettings.Networks)), "1"},
	} {
		if got[0] != got[1] {
			t.Errorf("%s is %q; want %q", what, got[0], got[1])
		}
	}
	if c.HostConfig.Init == nil || !*c.HostConfig.Init {
		t.Error("it has no init")
	}
}

func TestEnvironmentIsInNoLabelNameOrImage(t *testing.T) {
	const marker = "s3cret-m4rker"
	w := newFixture(t)
	s := w.spec("serve")
	s.Env["SECRET"] = marker
	in := w.start(s)
	for _, c := range w.containers(w.options.Platform) {
		if strings.Contains(fmt.Sprintf("%+v", c), marker) {
			t.Error("the listing of containers tells the secret")
		}
	}
	if networks := w.networks(w.options.Platform); strings.Contains(fmt.Sprintf("%+v", networks), marker) {
		t.Error("the network tells the secret")
	}
	img, err := w.raw.ImageInspect(t.Context(), s.Image.Config)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(fmt.Sprintf("%+v %+v", img, img.Config), marker) {
		t.Error("the image tells the secret")
	}
	if strings.Contains(fmt.Sprintf("%+v", in), marker) {
		t.Error("the instance tells the secret")
	}
}

func TestVolumesOfTheImageGoWithTheDyno(t *testing.T) {
	w := newFixture(t)
	in := w.start(w.spec("serve"))
	mounts := w.inspect(in.ID).Mounts
	if len(mounts) != 1 {
		t.Fatalf("%d volumes; the test's image declares one", len(mounts))
	}
	if err := w.engine.Stop(t.Context(), in.ID, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := w.raw.VolumeInspect(t.Context(), mounts[0].Name); err == nil {
		t.Error("the volume is still there")
	}
}

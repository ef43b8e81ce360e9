package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"renga/e2e/services"
)

// tiny is a Redis whose plan has room for 16 megabytes.
const tiny = `service: tiny
name: Tiny
description: A Redis that is full soon.
provider: container
attachment: TINY
image: redis:7
port: 6379
volume: /data
arguments: [/etc/renga/redis.conf]
files:
  /etc/renga/redis.conf:
    owner: 999
    content: |
      dir /data
      appendonly yes
      save ""
      user default on >{{.Admin}} ~* &* +@all
config:
  URL: redis://{{.User}}:{{.Password}}@{{.Host}}:{{.Port}}
grant:
  run: [redis-cli, -e]
  input: |
    AUTH {{.Admin}}
    ACL SETUSER {{.User}} reset on >{{.Password}} ~* &* +@all
revoke:
  run: [redis-cli, -e]
  input: |
    AUTH {{.Admin}}
    ACL DELUSER {{.User}}
usage:
  data_bytes:
    run: [sh, -c, 'du -sb /data | cut -f 1']
plans:
  - {name: small, memory: 64M, cpu: 0.5, disk: 16M, connections: 20}
  - {name: large, memory: 64M, cpu: 0.5, disk: 64M, connections: 20}
`

// TestAnAddOnThatFillsUpIsWarnedOfOnce: in the app's log, by a webhook's event and by
// the API, with the figures that Prometheus gets; and not again by the next start.
func TestAnAddOnThatFillsUpIsWarnedOfOnce(t *testing.T) {
	s := newStory(t)
	_, err := services.Build(t.Context(), services.Redis7)
	s.must(err)
	offered := t.TempDir()
	s.must(os.WriteFile(filepath.Join(offered, "tiny.yaml"), []byte(tiny), 0o600))
	settings := []string{"--addons=" + offered, "--metrics-every=1s", "--egress-allow=127.0.0.0/8"}
	s.start(settings...)
	s.pushClient("users")
	u := used{"redis", "TINY_URL", "tiny:small", "tiny:large", "", services.Redis7, 6379, false}
	s.api(http.StatusCreated, http.MethodPost, "/apps/users/addons", u.order())
	s.isProvisioned(u)
	told := newReceiver(s, "0123456789abcdef")
	s.api(http.StatusCreated, http.MethodPost, "/apps/users/webhooks", map[string]any{
		"include": []string{"api:addon"}, "level": "notify", "url": told.URL, "secret": "0123456789abcdef",
	})
	s.poll(func() error { return s.warnedOf(u, 0) })
	fill := append([]string{"exec"}, append(s.containersOf(u), "sh", "-c", "head -c 14000000 /dev/zero >/data/more")...)
	_, err = s.w.Docker(t.Context(), fill...)
	s.must(err)
	s.poll(func() error { return s.warnedOf(u, 80) })
	s.saidOnce(u)
	s.must(s.w.Kill())
	s.start(settings...)
	s.poll(func() error { return s.warnedOf(u, 80) })
	s.saidOnce(u)

	s.api(http.StatusOK, http.MethodPatch, "/apps/users/addons/"+u.name(), map[string]any{"plan": u.larger})
	s.poll(func() error { return s.warnedOf(u, 0) })
	s.poll(func() error {
		if said := s.warnings(u); len(said) != 2 || !strings.Contains(said[1], "data on disk are below 80% again") {
			return fmt.Errorf("said is %q", said)
		}
		return nil
	})
	told.waits(s, "addon update v0 by operator@renga.localhost")
}

// warnedOf is an error unless an add-on was measured, and its data are over that
// part of its plan.
func (s *story) warnedOf(u used, percent int) error {
	s.Helper()
	var usage struct {
		DataBytes *struct{ Used, Limit int64 } `json:"data_bytes"`
		Warnings  []struct {
			Of      string
			Percent int
		}
	}
	body := s.api(http.StatusOK, http.MethodGet, "/addons/"+u.name()+"/usage", nil)
	s.must(json.Unmarshal(body, &usage))
	if usage.DataBytes == nil {
		return errors.New("it is not measured")
	}
	for _, w := range usage.Warnings {
		if w.Of == "data" && w.Percent != percent || w.Of == "data" && percent == 0 {
			return fmt.Errorf("warned is of %s", body)
		} else if w.Of == "data" && usage.DataBytes.Used > usage.DataBytes.Limit*8/10 {
			return nil
		}
	}
	if percent > 0 {
		return fmt.Errorf("no warning in %s", body)
	}
	return nil
}

// saidOnce waits for the log to warn of an add-on's data, which it does just after the
// API knows, and checks that it does so once.
func (s *story) saidOnce(u used) {
	s.Helper()
	s.poll(func() error {
		if len(s.warnings(u)) == 0 {
			return errors.New("the log says nothing")
		}
		return nil
	})
	if said := s.warnings(u); len(said) != 1 || !strings.Contains(said[0], "Warning: data on disk are at ") {
		s.Errorf("said is %q; want it once", said)
	}
}

// warnings are the log's lines about what an add-on uses of its data's room.
func (s *story) warnings(u used) []string {
	s.Helper()
	return slices.DeleteFunc(s.log("users"), func(line string) bool {
		return !strings.HasPrefix(line, "source="+u.name()+" sample#data=")
	})
}

package docker

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/docker/docker/api/types/mount"
)

func TestWhatIsMadeIsThePlatformsWhateverItsLabelsSay(t *testing.T) {
	labels := map[string]string{LabelPlatform: "another", LabelKind: "another", LabelApp: "a"}
	made := testClient(t).config(Spec{Kind: Dyno, Labels: labels}).Labels
	if made[LabelPlatform] != "p" || made[LabelKind] != "dyno" || made[LabelApp] != "a" ||
		labels[LabelPlatform] != "another" {
		t.Errorf("labels %v of %v", made, labels)
	}
}

func TestAContainerFromBeforeThereWereKindsIsADyno(t *testing.T) {
	for kind, labels := range map[Kind]map[string]string{
		Dyno: {LabelApp: "a"}, "service": {LabelApp: "a", LabelKind: "service"},
	} {
		if got := kindOf(labels); got != kind {
			t.Errorf("%v: %q; want %q", labels, got, kind)
		}
	}
}

func TestLimitsAreOfTheKernelsUnits(t *testing.T) {
	r := resources(Limits{MemoryBytes: 1 << 30, ReservedBytes: 1 << 29, CPUs: 1.5, Pids: 256})
	if r.Memory != 1<<30 || r.MemorySwap != r.Memory || r.MemoryReservation != 1<<29 ||
		r.CPUQuota != 150_000 || r.CPUPeriod != 100_000 || *r.PidsLimit != 256 {
		t.Errorf("%+v", r)
	}
	if r := resources(Limits{CPUs: 0.001}); r.CPUQuota != 1000 || r.PidsLimit != nil {
		t.Errorf("%+v; want the least quota there is, and no pids limit", r)
	}
}

func TestCheckIsToldAsEveryDaemonTakesIt(t *testing.T) {
	c := Check{Test: []string{"CMD", "x"}, Interval: 5, Timeout: 3, StartPeriod: 20, Retries: 4}
	h := healthConfig(&c)
	if h.StartInterval != 0 || !slices.Equal(h.Test, c.Test) || h.Interval != 5 || h.Timeout != 3 ||
		h.StartPeriod != 20*time.Nanosecond || h.Retries != 4 {
		t.Errorf("%+v", h)
	}
	if none := healthConfig(nil); !slices.Equal(none.Test, []string{"NONE"}) {
		t.Errorf("%+v; want none, whatever the image has", none)
	}
}

func TestNetworksAreNamedForPeople(t *testing.T) {
	if got := networkName("0f0f0f0f-1111-4222-8333-444444444444"); got != "renga-0f0f0f0f-1111" {
		t.Errorf("network %s", got)
	}
}

func TestVolumesAreMountedAsAsked(t *testing.T) {
	v := Volume{name: "v"}
	for _, c := range []struct {
		v    Volume
		want mount.Mount
	}{
		{v, mount.Mount{Type: mount.TypeVolume, Source: "v", Target: "/data"}},
		{v.ReadOnly(), mount.Mount{Type: mount.TypeVolume, Source: "v", Target: "/data", ReadOnly: true}},
		{v.Bare(), mount.Mount{
			Type: mount.TypeVolume, Source: "v", Target: "/data", VolumeOptions: &mount.VolumeOptions{NoCopy: true},
		}},
	} {
		if got := mounts(map[string]Volume{"/data": c.v}); !reflect.DeepEqual(got, []mount.Mount{c.want}) {
			t.Errorf("%+v is mounted as %+v; want %+v", c.v, got, c.want)
		}
	}
}

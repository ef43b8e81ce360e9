package addons

import (
	"slices"
	"testing"

	"renga"
)

// TestALevelIsLeftLaterThanItIsReached, so that what goes up and down around it is
// told once.
func TestALevelIsLeftLaterThanItIsReached(t *testing.T) {
	for _, c := range []struct {
		measure renga.Measure
		percent []int64
		want    []int
	}{
		{renga.MeasureData, []int64{0, 79, 80, 79, 81, 75, 74, 80}, []int{0, 0, 80, 80, 80, 80, 0, 80}},
		{renga.MeasureData, []int64{96, 94, 90, 89, 95, 74, 10}, []int{95, 95, 95, 80, 95, 0, 0}},
		{renga.MeasureMemory, []int64{89, 90, 100, 85, 84}, []int{0, 90, 90, 90, 0}},
		{renga.MeasureConnections, []int64{80, 200, 76, 74}, []int{80, 80, 80, 0}},
		{renga.MeasureMachine, []int64{89, 91, 96, 91, 89, 84}, []int{0, 90, 95, 95, 90, 0}},
	} {
		level := 0
		var got []int
		for _, percent := range c.percent {
			level = levelNow(c.measure, renga.Share{Used: percent * 10, Limit: 1000}, level)
			got = append(got, level)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s at %v: levels %v; want %v", c.measure, c.percent, got, c.want)
		}
	}
}

// TestWithoutALimitNothingIsNear it.
func TestWithoutALimitNothingIsNear(t *testing.T) {
	if level := levelNow(renga.MeasureConnections, renga.Share{Used: 1 << 40}, 0); level != 0 {
		t.Errorf("level %d", level)
	}
}

// TestWhatIsNotKnownStaysAsItWasTold: a look that failed ends no warning.
func TestWhatIsNotKnownStaysAsItWasTold(t *testing.T) {
	before := renga.Warnings{renga.MeasureData: 95, renga.MeasureMemory: 90}
	u := renga.AddOnUsage{Shares: map[renga.Measure]renga.Share{renga.MeasureMemory: {Used: 1, Limit: 100}}}
	now := warningsNow(before, u)
	if !now.Equal(renga.Warnings{renga.MeasureData: 95}) {
		t.Errorf("warnings %v", now)
	}
	want := []string{"source=db sample#memory=0.00MB sample#memory_limit=0.00MB memory is below 90% again: 1%"}
	if lines := crossed(renga.AddOn{Name: "db"}, before, now, u); !slices.Equal(lines, want) {
		t.Errorf("said is %q", lines)
	}
}

// TestACrossingIsOneLine with what is used, of how much, and what to do.
func TestACrossingIsOneLine(t *testing.T) {
	u := renga.AddOnUsage{Shares: map[renga.Measure]renga.Share{
		renga.MeasureData:        {Used: 820 << 20, Limit: 1000 << 20},
		renga.MeasureConnections: {Used: 18, Limit: 20},
		renga.MeasureMemory:      {Used: 10, Limit: 100},
	}}
	now := warningsNow(nil, u)
	want := []string{
		"source=db sample#data=820.00MB sample#data_limit=1000.00MB Warning: data on disk are at 82%: remove data, or " +
			"change to a larger plan",
		"source=db sample#connections=18 sample#connections_limit=20 Warning: connections are at 90%: open fewer, or " +
			"change to a larger plan",
	}
	if lines := crossed(renga.AddOn{Name: "db"}, nil, now, u); !slices.Equal(lines, want) {
		t.Errorf("said is %q", lines)
	}
	if lines := crossed(renga.AddOn{Name: "db"}, now, warningsNow(now, u), u); len(lines) > 0 {
		t.Errorf("said again is %q", lines)
	}
}

package addons

import (
	"fmt"
	"strconv"

	"renga"
)

// levels are the percentages of a limit that are told of when they are reached, the
// highest first.
var levels = map[renga.Measure][]int{
	renga.MeasureMemory:      {90},
	renga.MeasureData:        {95, 80},
	renga.MeasureConnections: {80},
	renga.MeasureMachine:     {95, 90},
}

// calm is how many points below a level is told that it is left again: what goes up
// and down around it is told once.
const calm = 5

// levelNow is the level that a share is at, 0 for none, when it was at the level
// before.
func levelNow(m renga.Measure, s renga.Share, before int) int {
	percent := s.Percent()
	for _, level := range levels[m] {
		if percent >= level || level <= before && percent >= level-calm {
			return level
		}
	}
	return 0
}

// warningsNow are the warnings that follow from what is measured. What is not known
// now stays as it was told before.
func warningsNow(before renga.Warnings, u renga.AddOnUsage) renga.Warnings {
	now := renga.Warnings{}
	for _, m := range renga.Measures {
		level := before[m]
		if s, known := u.Shares[m]; known {
			level = levelNow(m, s, before[m])
		}
		if level > 0 {
			now[m] = level
		}
	}
	return now
}

// crossed are the lines for the app's log about what differs between warnings.
func crossed(a renga.AddOn, before, now renga.Warnings, u renga.AddOnUsage) []string {
	var lines []string
	for _, m := range renga.Measures {
		if before[m] == now[m] {
			continue
		}
		s := u.Shares[m]
		line := fmt.Sprintf("source=%s sample#%s=%s sample#%s_limit=%s ", a.Name, m, figure(m, s.Used), m, figure(m, s.Limit))
		if now[m] > before[m] {
			line += fmt.Sprintf("Warning: %s at %d%%: %s", words[m], s.Percent(), advice[m])
		} else {
			line += fmt.Sprintf("%s below %d%% again: %d%%", words[m], before[m], s.Percent())
		}
		lines = append(lines, line)
	}
	return lines
}

// words are what measures are of, for people, and advice is what to do when there
// is little left.
var (
	words = map[renga.Measure]string{
		renga.MeasureMemory:      "memory is",
		renga.MeasureData:        "data on disk are",
		renga.MeasureConnections: "connections are",
		renga.MeasureMachine:     "the disk of the machine is",
	}
	advice = map[renga.Measure]string{
		renga.MeasureMemory:      "change to a larger plan, or use less",
		renga.MeasureData:        "remove data, or change to a larger plan",
		renga.MeasureConnections: "open fewer, or change to a larger plan",
		renga.MeasureMachine:     "tell whoever runs it; nothing can be written once it is full",
	}
)

// figure writes a number as Heroku's log lines do: bytes as megabytes.
func figure(m renga.Measure, n int64) string {
	if m == renga.MeasureConnections {
		return strconv.FormatInt(n, 10)
	}
	return fmt.Sprintf("%.2fMB", float64(n)/(1<<20))
}

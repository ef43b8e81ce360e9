package store_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"renga"
	"renga/store"
)

// traffic counts the bytes that Redis has taken and given since it started.
func traffic(t *testing.T, raw *redis.Client) int {
	t.Helper()
	info, err := raw.Info(t.Context(), "stats").Result()
	check(t, err)
	sum := 0
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "total_net_input_bytes" || name == "total_net_output_bytes" {
			n, err := strconv.Atoi(value)
			check(t, err)
			sum += n
		}
	}
	return sum
}

// othersPipelines makes n pipelines of n accounts, of one app each, as quickly as
// they can be written: without the store, and indexed by its next start.
func othersPipelines(t *testing.T, s *store.Store, raw *redis.Client, n int) {
	t.Helper()
	_, err := raw.Pipelined(t.Context(), func(p redis.Pipeliner) error {
		for i := range n {
			id := uuid.NewString()
			p.HSet(t.Context(), "renga:{platform}:pipelines", id, fmt.Sprintf(
				`{"id":%q,"name":"shop","owner":"owner-%d","couplings":{"app-%d":{"id":"c","stage":"staging"}}}`, id, i, i))
		}
		return nil
	})
	check(t, err)
	check(t, s.Adopt(t.Context(), platform, false))
}

// What an account does with its pipelines costs the same however many others
// have.
func TestPipelinesOfOthersCostNothing(t *testing.T) {
	s, p := newStore(t)
	raw := p.raw(t)
	mine := createPipeline(t, s, "mine", "ada")
	check(t, couple(t, s, mine.ID, "ada-app", "staging"))
	gone := newPipeline("gone", "ada")
	work := map[string]func(){
		"read one's own":       func() { pipelinesOf(t, s, "ada") },
		"read those of an app": func() { pipelinesOf(t, s, "nobody", "ada-app", "no-app") },
		"make and delete": func() {
			check(t, s.CreatePipeline(t.Context(), gone))
			check(t, s.DeletePipeline(t.Context(), gone.ID))
		},
		"couple and uncouple": func() {
			check(t, couple(t, s, mine.ID, "another", "production"))
			_, err := s.UpdatePipeline(t.Context(), mine.ID, func(p *renga.Pipeline) error {
				p.Couplings = slices.DeleteFunc(p.Couplings, func(c renga.Coupling) bool { return c.App == "another" })
				return nil
			})
			check(t, err)
		},
		"read a stage's vars": func() {
			_, err := s.PipelineVars(t.Context(), mine.ID, "review")
			check(t, err)
		},
		"remove an app": func() {
			a := createApp(t, s, "short-lived")
			check(t, couple(t, s, mine.ID, a.ID, "review"))
			check(t, s.RemoveApp(t.Context(), a.ID))
		},
	}
	measure := func() map[string]int {
		cost := map[string]int{}
		for name, do := range work {
			do() // connections are there, and greeted
			before := traffic(t, raw)
			do()
			cost[name] = traffic(t, raw) - before
		}
		return cost
	}
	alone := measure()
	othersPipelines(t, s, raw, 2000)
	crowded := measure()
	for name, cost := range alone {
		// 2000 pipelines of others are 200 kB.
		if crowded[name] > cost+1000 {
			t.Errorf("to %s moved %d bytes alone, and %d among others", name, cost, crowded[name])
		}
	}
}

// Pipelines that were written without the indexes, by an older Renga before or
// after them, are found after the next start, and what they forbid is forbidden.
func TestAStartIndexesPipelines(t *testing.T) {
	s, p := newStore(t)
	raw := p.raw(t)
	mine := createPipeline(t, s, "mine", "ada")
	check(t, couple(t, s, mine.ID, "app", "staging"))
	old := `{"id":"old","name":"shop","owner":"ada","couplings":{"app":{"id":"c","stage":"staging"}}}`
	check(t, raw.HSet(t.Context(), "renga:{platform}:pipelines", "old", old).Err())
	check(t, raw.HDel(t.Context(), "renga:{platform}:pipelines", string(mine.ID)).Err())

	check(t, open(t, p.url()).Adopt(t.Context(), platform, false))
	for name, all := range map[string][]renga.Pipeline{
		"ada's": pipelinesOf(t, s, "ada"), "the app's": pipelinesOf(t, s, "nobody", "app"),
	} {
		if len(all) != 1 || all[0].ID != "old" {
			t.Errorf("%s pipelines are %+v", name, all)
		}
	}
	wantKind(t, s.CreatePipeline(t.Context(), newPipeline("shop", "ada")), renga.Conflict)
	theirs := createPipeline(t, s, "theirs", "bob")
	wantKind(t, couple(t, s, theirs.ID, "app", "staging"), renga.Conflict)
}

// A start that finds the indexes right writes nothing, so that it succeeds when
// nothing can be written.
func TestAStartThatFindsIndexesRightWritesNothing(t *testing.T) {
	s, p := newStore(t)
	mine := createPipeline(t, s, "mine", "ada")
	check(t, couple(t, s, mine.ID, "app", "staging"))
	raw := p.raw(t)
	check(t, raw.ConfigSet(t.Context(), "maxmemory", "1").Err())
	check(t, open(t, p.url()).Adopt(t.Context(), platform, false))
}

// An account whose id begins like another's does not find the other's.
func TestPipelinesAreOfTheWholeAccount(t *testing.T) {
	s, _ := newStore(t)
	createPipeline(t, s, "shop", "ada")
	createPipeline(t, s, "shop", "ada2")
	createPipeline(t, s, "shop", "ad")
	all := pipelinesOf(t, s, "ada")
	if len(all) != 1 || all[0].Owner != "ada" {
		t.Fatalf("pipelines are %s", fmt.Sprint(all))
	}
}

package store

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"renga"
)

// How a pipeline is found. All pipelines are one hash; two indexes beside it say
// which of them are an account's, and which one an app is in, so that nobody
// reads all others' to find his own. Each transaction that writes a pipeline
// writes its entries too, and watches the pipelines' key alone, for nothing
// changes an index without it.
//
// Every start reads all pipelines once, and makes the indexes agree with them:
// pipelines may be older than the indexes, or have been written since by an
// older Renga.

// ownedBy is what all entries of an account in the index of owners begin with.
func ownedBy(owner renga.AccountID) string { return string(owner) + "/" }

// ofOwner asks for the entries of one account; "0" is the byte after "/".
func ofOwner(owner renga.AccountID) *redis.ZRangeBy {
	return &redis.ZRangeBy{Min: "[" + ownedBy(owner), Max: "(" + string(owner) + "0"}
}

// pipelineIDs are those of the account's own pipelines, and of those that the
// apps are in, each once.
func pipelineIDs(ctx context.Context, b batcher, owner renga.AccountID, apps []renga.AppID) ([]string, error) {
	var owned *redis.StringSliceCmd
	var coupled []*redis.SliceCmd
	err := pipelined(ctx, b, func(p redis.Pipeliner) {
		owned = p.ZRangeByLex(ctx, keyOwned, ofOwner(owner))
		for batch := range slices.Chunk(apps, readBatch) {
			coupled = append(coupled, p.HMGet(ctx, keyCoupled, fields(batch)...))
		}
	})
	if err != nil {
		return nil, err
	}
	ids := map[string]bool{}
	for _, entry := range owned.Val() {
		ids[strings.TrimPrefix(entry, ownedBy(owner))] = true
	}
	for _, some := range coupled {
		for i := range some.Val() {
			if id, in := text(some.Val(), i); in {
				ids[id] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(ids)), nil
}

func fields[S ~string](names []S) []string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = string(name)
	}
	return all
}

// somePipelines reads the pipelines of those ids; what is not there is left out.
func (s *Store) somePipelines(ctx context.Context, ids []string) ([]pipelineRecord, error) {
	var found []*redis.SliceCmd
	err := s.read(ctx, func(p redis.Pipeliner) { found = askPipelines(ctx, p, ids) })
	if err != nil {
		return nil, err
	}
	return decodePipelines(found)
}

func askPipelines(ctx context.Context, p redis.Pipeliner, ids []string) []*redis.SliceCmd {
	var asked []*redis.SliceCmd
	for batch := range slices.Chunk(ids, readBatch) {
		asked = append(asked, p.HMGet(ctx, keyPipelines, batch...))
	}
	return asked
}

func decodePipelines(found []*redis.SliceCmd) ([]pipelineRecord, error) {
	var records []pipelineRecord
	for _, some := range found {
		for i := range some.Val() {
			stored, there := text(some.Val(), i)
			if !there {
				continue
			}
			r, err := decode[pipelineRecord](keyPipelines, stored)
			if err != nil {
				return nil, err
			}
			records = append(records, r)
		}
	}
	return records, nil
}

// pipelineRecordIn reads one record; nil when there is none of that id.
func pipelineRecordIn(ctx context.Context, tx *redis.Tx, id renga.PipelineID) (*pipelineRecord, error) {
	stored, err := tx.HGet(ctx, keyPipelines, string(id)).Result()
	if missing(err) {
		return nil, nil //nolint:nilnil // see above
	}
	if err != nil {
		return nil, err
	}
	r, err := decode[pipelineRecord](keyPipelines, stored)
	return &r, err
}

// pipelinesBeside reads those of the same owner, and those with one of its apps.
func pipelinesBeside(ctx context.Context, tx *redis.Tx, r pipelineRecord) ([]pipelineRecord, error) {
	ids, err := pipelineIDs(ctx, tx, r.Owner, slices.Sorted(maps.Keys(r.Couplings)))
	if err != nil {
		return nil, err
	}
	var found []*redis.SliceCmd
	if err := pipelined(ctx, tx, func(p redis.Pipeliner) { found = askPipelines(ctx, p, ids) }); err != nil {
		return nil, err
	}
	return decodePipelines(found)
}

func dropPipeline(ctx context.Context, p redis.Pipeliner, r *pipelineRecord) {
	if r == nil {
		return
	}
	p.HDel(ctx, keyPipelines, string(r.ID))
	p.ZRem(ctx, keyOwned, ownedBy(r.Owner)+string(r.ID))
	for app := range r.Couplings {
		p.HDel(ctx, keyCoupled, string(app))
	}
}

func putPipeline(ctx context.Context, p redis.Pipeliner, r *pipelineRecord) {
	if r == nil {
		return
	}
	p.HSet(ctx, keyPipelines, string(r.ID), encode(r))
	indexPipeline(ctx, p, *r)
}

func indexPipeline(ctx context.Context, p redis.Pipeliner, r pipelineRecord) {
	p.ZAdd(ctx, keyOwned, redis.Z{Member: ownedBy(r.Owner) + string(r.ID)})
	for app := range r.Couplings {
		p.HSet(ctx, keyCoupled, string(app), string(r.ID))
	}
}

// indexPipelines makes the indexes agree with the pipelines, all at once. Where
// they do, nothing is written: a start must succeed on a full disk.
func (s *Store) indexPipelines(ctx context.Context) error {
	return s.do(ctx, "index pipelines", func(ctx context.Context) error {
		return s.transact(ctx, func(tx *redis.Tx) error {
			records, err := allPipelines(ctx, tx)
			if err != nil {
				return err
			}
			agree, err := indexesAgree(ctx, tx, records)
			if err != nil || agree {
				return err
			}
			return multi(ctx, tx, func(p redis.Pipeliner) {
				p.Del(ctx, keyOwned, keyCoupled)
				for _, r := range records {
					indexPipeline(ctx, p, r)
				}
			})
		}, keyPipelines)
	})
}

func allPipelines(ctx context.Context, tx *redis.Tx) ([]pipelineRecord, error) {
	stored, err := tx.HGetAll(ctx, keyPipelines).Result()
	if err != nil {
		return nil, err
	}
	all, err := decodeCollection[pipelineRecord](keyPipelines, stored)
	return slices.Collect(maps.Values(all)), err
}

func indexesAgree(ctx context.Context, tx *redis.Tx, records []pipelineRecord) (bool, error) {
	owned, err := tx.ZRange(ctx, keyOwned, 0, -1).Result()
	if err != nil {
		return false, err
	}
	coupled, err := tx.HGetAll(ctx, keyCoupled).Result()
	if err != nil {
		return false, err
	}
	wantOwned, wantCoupled := []string{}, map[string]string{}
	for _, r := range records {
		wantOwned = append(wantOwned, ownedBy(r.Owner)+string(r.ID))
		for app := range r.Couplings {
			wantCoupled[string(app)] = string(r.ID)
		}
	}
	slices.Sort(wantOwned)
	return slices.Equal(owned, wantOwned) && maps.Equal(coupled, wantCoupled), nil
}

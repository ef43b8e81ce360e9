package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"renga"
)

// Keys lists an account's public SSH keys, oldest first.
func (s *Store) Keys(ctx context.Context, account renga.AccountID) ([]renga.SSHKey, error) {
	all, err := readCollection[sshKeyRecord](ctx, s, collection{key: keySSHKeys})
	if err != nil {
		return nil, err
	}
	var own []renga.SSHKey
	for id, r := range all {
		if r.Account == account {
			own = append(own, r.sshKey(id))
		}
	}
	slices.SortFunc(own, func(a, b renga.SSHKey) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return own, nil
}

// AddKey keeps a public SSH key. A key that an account has already is
// renga.Conflict, for a key tells whose it is.
func (s *Store) AddKey(ctx context.Context, k renga.SSHKey) error {
	return editCollection(ctx, s, collection{key: keySSHKeys}, func(all map[string]sshKeyRecord) error {
		for _, r := range all {
			if r.Fingerprint == k.Fingerprint {
				return renga.Errorf(renga.Conflict, "Fingerprint has already been taken.")
			}
		}
		all[k.ID] = newSSHKeyRecord(k)
		return nil
	})
}

// DeleteKey forgets an account's key; renga.NotFound when it has none of that
// id.
func (s *Store) DeleteKey(ctx context.Context, account renga.AccountID, id string) error {
	return editCollection(ctx, s, collection{key: keySSHKeys}, func(all map[string]sshKeyRecord) error {
		if all[id].Account != account {
			return renga.Errorf(renga.NotFound, "Couldn't find key %s.", id)
		}
		delete(all, id)
		return nil
	})
}

type sshKeyRecord struct {
	Account     renga.AccountID `json:"account"`
	Comment     string          `json:"comment,omitempty"`
	Fingerprint string          `json:"fingerprint"`
	PublicKey   string          `json:"public_key"`
	CreatedAt   time.Time       `json:"created_at,omitzero"`
}

func newSSHKeyRecord(k renga.SSHKey) sshKeyRecord {
	return sshKeyRecord{
		Account: k.Account, Comment: k.Comment, Fingerprint: k.Fingerprint, PublicKey: k.PublicKey,
		CreatedAt: k.CreatedAt.UTC(),
	}
}

func (r sshKeyRecord) sshKey(id string) renga.SSHKey {
	return renga.SSHKey{
		ID: id, Account: r.Account, Comment: r.Comment, Fingerprint: r.Fingerprint, PublicKey: r.PublicKey,
		CreatedAt: r.CreatedAt.UTC(),
	}
}

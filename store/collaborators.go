package store

import (
	"slices"
	"time"

	"renga"
)

type collaboratorRecord struct {
	ID          string             `json:"id"`
	Permissions []renga.Permission `json:"permissions"`
	CreatedAt   time.Time          `json:"created_at,omitzero"`
	UpdatedAt   time.Time          `json:"updated_at,omitzero"`
}

func newCollaboratorRecords(all map[renga.AccountID]renga.Collaborator) map[renga.AccountID]collaboratorRecord {
	records := make(map[renga.AccountID]collaboratorRecord, len(all))
	for who, c := range all {
		records[who] = newCollaboratorRecord(c)
	}
	return records
}

func newCollaboratorRecord(c renga.Collaborator) collaboratorRecord {
	return collaboratorRecord{
		ID: c.ID, Permissions: c.Permissions, CreatedAt: c.CreatedAt.UTC(), UpdatedAt: c.UpdatedAt.UTC(),
	}
}

func (r collaboratorRecord) collaborator(who renga.AccountID) renga.Collaborator {
	return renga.Collaborator{
		ID: r.ID, Account: who, Permissions: r.Permissions, CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
}

func (r appRecord) collaborators() map[renga.AccountID]renga.Collaborator {
	if len(r.Collaborators) == 0 {
		return nil
	}
	all := make(map[renga.AccountID]renga.Collaborator, len(r.Collaborators))
	for who, c := range r.Collaborators {
		all[who] = c.collaborator(who)
	}
	return all
}

func collaboratorEvents(before, after renga.App) []event {
	var all []event
	add := func(action renga.EventAction, who renga.AccountID, now, was *renga.Collaborator) {
		h := event{kind: renga.CollaboratorEvent, action: action, subject: collaboratorSubject(who, now)}
		if was != nil {
			h.before = collaboratorSubject(who, was)
		}
		all = append(all, h)
	}
	for who, c := range after.Collaborators {
		was, known := before.Collaborators[who]
		switch {
		case !known:
			add(renga.Create, who, &c, nil)
		case !slices.Equal(was.Permissions, c.Permissions):
			add(renga.Update, who, &c, &was)
		}
	}
	for who, c := range before.Collaborators {
		if _, kept := after.Collaborators[who]; !kept {
			add(renga.Destroy, who, &c, nil)
		}
	}
	return all
}

func collaboratorSubject(who renga.AccountID, c *renga.Collaborator) subjectRecord {
	record := newCollaboratorRecord(*c)
	return subjectRecord{Account: who, Collaborator: &record}
}

package renga

import "time"

// AccountID names an account for ever: a UUID.
type AccountID string

// Account is somebody who may use the platform. Its API tokens are stored
// beside it, as hashes only.
type Account struct {
	ID        AccountID
	Email     string
	CreatedAt time.Time
	UpdatedAt time.Time
}

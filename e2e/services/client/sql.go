package main

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
)

const table = "CREATE TABLE IF NOT EXISTS kept (k VARCHAR(200) PRIMARY KEY, v TEXT NOT NULL)"

func writePostgres(ctx context.Context, where, key, value string) error {
	return withPostgres(ctx, where, func(c *pgx.Conn) error {
		// Asked first: of two who make a table at once one fails, though they need it only not to be missing.
		var there bool
		if err := c.QueryRow(ctx, "SELECT to_regclass('kept') IS NOT NULL").Scan(&there); err != nil {
			return err
		}
		if !there {
			if _, err := c.Exec(ctx, table); err != nil {
				return err
			}
		}
		_, err := c.Exec(ctx, "INSERT INTO kept VALUES ($1, $2) ON CONFLICT (k) DO UPDATE SET v = $2", key, value)
		return err
	})
}

func readPostgres(ctx context.Context, where, key string) (string, error) {
	var value string
	err := withPostgres(ctx, where, func(c *pgx.Conn) error {
		err := c.QueryRow(ctx, "SELECT v FROM kept WHERE k = $1", key).Scan(&value)
		if errors.Is(err, pgx.ErrNoRows) {
			return errNone
		}
		return err
	})
	return value, err
}

func withPostgres(ctx context.Context, where string, do func(*pgx.Conn) error) error {
	c, err := pgx.Connect(ctx, where)
	if err != nil {
		return err
	}
	return errors.Join(do(c), c.Close(ctx))
}

func writeMySQL(ctx context.Context, where, key, value string) error {
	return withMySQL(where, func(db *sql.DB) error {
		if _, err := db.ExecContext(ctx, table); err != nil {
			return err
		}
		_, err := db.ExecContext(ctx, "REPLACE INTO kept VALUES (?, ?)", key, value)
		return err
	})
}

func readMySQL(ctx context.Context, where, key string) (string, error) {
	var value string
	err := withMySQL(where, func(db *sql.DB) error {
		err := db.QueryRowContext(ctx, "SELECT v FROM kept WHERE k = ?", key).Scan(&value)
		if errors.Is(err, sql.ErrNoRows) {
			return errNone
		}
		return err
	})
	return value, err
}

// withMySQL reads a URL, mysql://user:password@host:port/database, as Heroku has it; the driver wants a form of its own.
func withMySQL(where string, do func(*sql.DB) error) error {
	u, err := url.Parse(where)
	if err != nil {
		return err
	}
	config := mysql.NewConfig()
	config.Net, config.Addr, config.DBName = "tcp", u.Host, strings.TrimPrefix(u.Path, "/")
	config.User = u.User.Username()
	config.Passwd, _ = u.User.Password()
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	return errors.Join(do(db), db.Close())
}

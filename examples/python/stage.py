"""Stages events from Python: the transfer and its event are in one transaction, or neither is there.

    pip install "psycopg[binary]"
    python3 examples/python/stage.py postgres://orders@localhost/orders --transfers 100
"""

import argparse
import json

import psycopg

STAGE = """
    select seq, id from ordered_stage(
        aggregate_type => 'account', key => %s, event_type => 'credited', payload => %s::json, headers => %s::jsonb
    )
"""


def transfer(connection, account, cents):
    """Books an amount and stages the event of it; answers with the event's seq."""
    # The transaction ends here: with a commit, or after an exception with a rollback, which takes the seq back.
    with connection.transaction():
        connection.execute(
            "insert into accounts values (%(account)s, %(cents)s)"
            " on conflict (account) do update set cents = accounts.cents + %(cents)s",
            {"account": account, "cents": cents},
        )
        # Staged last: until the transaction ends, others that stage for the account wait.
        event = json.dumps({"account": account, "cents": cents})
        seq, _event_id = connection.execute(STAGE, (account, event, json.dumps({"source": "python"}))).fetchone()
        if cents <= 0:
            raise ValueError("an amount must be positive")
        return seq


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("database", help="postgres://user@host/database, with the tables of `ordered outbox migrate`")
    parser.add_argument("--transfers", type=int, default=100)
    arguments = parser.parse_args()
    with psycopg.connect(arguments.database, autocommit=True) as connection:
        connection.execute("create table if not exists accounts (account text primary key, cents bigint not null)")
        for number in range(arguments.transfers):
            account = f"account-{number % 7}"
            try:
                # Every fifth is refused, and leaves no hole in the numbers.
                seq = transfer(connection, account, -1 if number % 5 == 4 else 100)
                print(f"{account} #{seq}")
            except ValueError as error:
                print(f"{account}: {error}")


if __name__ == "__main__":
    main()

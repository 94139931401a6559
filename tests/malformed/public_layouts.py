"""Small data sets in the layouts of public ones, for their yamls over `table`."""

from __future__ import annotations

from malformed.files import Layout, json_lines, parquet, table

PUBLIC = [
    Layout(
        "amazon_ratings",
        table(",", "", "Games.csv", "{i},{u},{r},{t}"),
        ["data=amazon_ratings", "data.interactions.file=Games.csv"],
        "Games.csv",
        ",",
        False,
        "iint",
    ),
    Layout(
        "taobao",
        table(",", "", "UserBehavior.csv", "{u},{i},7,pv,{t}"),
        ["data=taobao", "data.bad_rows=error"],
        "UserBehavior.csv",
        ",",
        False,
        "iixxt",
    ),
    Layout(
        "retailrocket",
        table(",", "timestamp,visitorid,event,itemid,transactionid", "events.csv", "{t}000,{u},view,{i},"),
        ["data=retailrocket"],
        "events.csv",
        ",",
        True,
        "tixix",
    ),
    Layout(
        "bookcrossing",
        table(";", '"User-ID";"ISBN";"Book-Rating"', "BX-Book-Ratings.csv", '"{u}";"{i}";"{r}"'),
        ["data=bookcrossing", "split=random", "data.items.file=null", "data.items.template=null"],
        "BX-Book-Ratings.csv",
        ";",
        True,
        "iin",
        True,
    ),
    Layout(
        "lastfm_360k",
        table("\t", "", "usersha1-artmbid-artname-plays.tsv", "{u}\t{i}\tname\t{r}"),
        ["data=lastfm_360k", "split=random", "data.bad_rows=error"],
        "usersha1-artmbid-artname-plays.tsv",
        "\t",
        False,
        "iixn",
    ),
    Layout(
        "yelp",
        json_lines(
            "review.json", '{"user_id":"%(u)d","business_id":"%(i)d","stars":%(r)d,"date":"2018-07-07 22:09:11"}'
        ),
        ["data=yelp", "data.interactions.file=review.json", "data.items.file=null", "data.items.template=null"],
        "review.json",
        None,
        columns="user_id:i business_id:i stars:n date:t",
    ),
    *(
        Layout(
            name,
            json_lines("r.json.gz", '{"overall":%(r)d,"reviewerID":"%(u)d","asin":"%(i)d","unixReviewTime":%(t)d}'),
            [f"data={name}", "data.interactions.file=r.json.gz", "data.items.template=null"],
            "r.json.gz",
            None,
            columns="reviewerID:i asin:i overall:n unixReviewTime:t",
        )
        for name in ("amazon_2014", "amazon_2018")
    ),
    Layout(
        "goodreads",
        json_lines("i.json.gz", '{"user_id":"%(u)d","book_id":"%(i)d","rating":%(r)d,"date_added":"%(d)s"}'),
        ["data=goodreads", "data.interactions.file=i.json.gz", "data.items.template=null"],
        "i.json.gz",
        None,
        columns="user_id:i book_id:i rating:n date_added:t",
    ),
    Layout(
        "otto",
        json_lines(
            "otto-recsys-train.jsonl",
            '{"session":%(u)d,"events":[{"aid":%(i)d,"ts":%(t)d000,"type":"clicks"},{"aid":%(r)d,"ts":%(t)d001}]}',
        ),
        ["data=otto"],
        "otto-recsys-train.jsonl",
        None,
    ),
    Layout(
        "steam",
        table(",", "", "steam-200k.csv", '{u},"Game {i}",purchase,1.0,0'),
        ["data=steam", "split=random"],
        "steam-200k.csv",
        ",",
        columns="iixxx",
    ),
    Layout(
        "lastfm_1k",
        table("\t", "", "plays.tsv", "{u}\t{d}\t{i}\tname\t\ttrack"),
        ["data=lastfm_1k", "data.interactions.file=plays.tsv", "data.bad_rows=error"],
        "plays.tsv",
        "\t",
        columns="itixxx",
    ),
    Layout(
        "gowalla",
        table("\t", "", "loc-gowalla_totalCheckins.txt.gz", "{u}\t{d}\t30.2\t-97.7\t{i}"),
        ["data=gowalla"],
        "loc-gowalla_totalCheckins.txt.gz",
        "\t",
        columns="itxxi",
    ),
    Layout(
        "hm",
        table(",", "t_dat,customer_id,article_id,price", "transactions_train.csv", "{d},{u},0{i},0.0508"),
        ["data=hm", "data.items.file=null", "data.items.template=null", "data.items.categories=null"],
        "transactions_train.csv",
        ",",
        True,
        "tiix",
    ),
    Layout(
        "yambda", parquet("likes.parquet", "uid", "item_id", "x", "timestamp"), ["data=yambda"], "likes.parquet", None
    ),
]

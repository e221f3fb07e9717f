-- What all processes counted since the beginning (metrics/counts.py); each adds to it every few seconds.
create table metric_count (
    metric  text not null,
    labels  text not null,                        -- as Prometheus reads them, such as cause="bounce"
    value   bigint not null,
    primary key (metric, labels)
);

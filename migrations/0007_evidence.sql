-- What becomes of effects that nobody waits for any more, and which instances cannot move.

-- `abandoned`: an answer may still come; `lost`: none will; `unknown`: none will, and money may have moved;
-- `late`: it happened. The last two are incidents of their instance, also when that has ended.
alter table unsettled_effect drop constraint unsettled_effect_phase_check;
alter table unsettled_effect add constraint unsettled_effect_phase_check check (
    phase in ('settling', 'looking_up', 'stuck', 'abandoned', 'lost', 'unknown', 'late')
);

-- Serves `calling`: effects of ended instances too, whose calls a new owner declares lost.
create index unsettled_effect_abandoned on unsettled_effect (bucket, instance_id) where phase = 'abandoned';

-- An instance whose next step cannot be made or written, and why. The row counts while its revision is that
-- of the instance: whoever moves on has left it behind, so no checkpoint has to delete it.
create table parked (
    bucket int not null,
    instance_id uuid not null,
    revision bigint not null check (revision >= 0),
    fingerprint text not null,
    detail text not null,
    since timestamptz not null,
    primary key (bucket, instance_id)
);

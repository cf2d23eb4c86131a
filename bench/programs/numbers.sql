create table numbers as with recursive n(i) as (select 1 union all select i + 1 from n where i < 60000)
  select i, (i * 7919) % 104729 as hash, printf('%08x', i * 2654435761 % 4294967296) as text from n;
create index by_hash on numbers(hash);
create index by_text on numbers(text);
select count(*), sum(hash), max(text) from numbers;
select count(*) from numbers a join numbers b on a.hash = b.hash + 1 where a.text < b.text;
select hash % 10, count(distinct text), min(text) from numbers group by 1 order by 3 limit 3;

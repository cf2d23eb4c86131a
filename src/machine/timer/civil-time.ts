/**
 * The proleptic Gregorian calendar in whole seconds since 1970-01-01 00:00:00, for the real-time clock. The host's
 * own calendar is out of reach here: time is injected.
 */

export interface CivilTime {
  readonly year: number;
  /** 1–12. */
  readonly month: number;
  /** 1–31; higher values run on into the next month. */
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

export const SECONDS_PER_DAY = 86_400;
const DAYS_PER_ERA = 146_097;
const YEARS_PER_ERA = 400;
/** From 0000-03-01, where eras begin, to 1970-01-01. */
const EPOCH_DAYS = 719_468;

/**
 * Seconds since the epoch. Years are counted from March, so that the leap day is the last of its year, and months
 * then start on day floor((153 · m + 2) / 5), m = 0 for March.
 */
export function secondsOfCivil(time: CivilTime): number {
  const year = time.month <= 2 ? time.year - 1 : time.year;
  const era = Math.floor(year / YEARS_PER_ERA);
  const yearOfEra = year - era * YEARS_PER_ERA;
  const dayOfYear = Math.floor((153 * ((time.month + 9) % 12) + 2) / 5) + time.day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  const days = era * DAYS_PER_ERA + dayOfEra - EPOCH_DAYS;
  return days * SECONDS_PER_DAY + time.hour * 3600 + time.minute * 60 + time.second;
}

export function civilOfSeconds(seconds: number): CivilTime {
  const days = Math.floor(seconds / SECONDS_PER_DAY);
  const secondOfDay = seconds - days * SECONDS_PER_DAY;
  const shifted = days + EPOCH_DAYS;
  const era = Math.floor(shifted / DAYS_PER_ERA);
  const dayOfEra = shifted - era * DAYS_PER_ERA;
  // Leap days before this day are taken out: every 1460 days, but not every 36524, but every 146096.
  const leapDays =
    Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor((dayOfEra - leapDays) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  return {
    year: era * YEARS_PER_ERA + yearOfEra + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1,
    hour: Math.floor(secondOfDay / 3600),
    minute: Math.floor(secondOfDay / 60) % 60,
    second: secondOfDay % 60,
  };
}

/** 0 for Sunday. */
export function weekdayOfSeconds(seconds: number): number {
  const days = Math.floor(seconds / SECONDS_PER_DAY);
  // 1970-01-01 was a Thursday.
  return (((days + 4) % 7) + 7) % 7;
}

/**
 * Most rows that a listing gives: one more than the API answers, so that a full page still learns whether there is
 * more.
 */
export const LARGEST_PAGE = 1001;

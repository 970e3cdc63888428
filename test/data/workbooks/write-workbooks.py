"""Writes the workbooks of this folder with XlsxWriter and openpyxl (see xlsx.test.ts)."""
import datetime as dt
from pathlib import Path

import openpyxl
import xlsxwriter

HERE = Path(__file__).parent


def sales() -> None:
    """A title, a header in the third row, merged cells, every kind of value, a hidden sheet before it."""
    book = xlsxwriter.Workbook(HERE / "sales.xlsx")
    book.add_worksheet("Lists").hide()
    sheet = book.add_worksheet("Vendas & Cia")
    book.add_worksheet("Other").write_row(0, 0, ["a", "b"])
    sheet.activate()
    day = book.add_format({"num_format": "dd/mm/yyyy"})
    moment = book.add_format({"num_format": 'dd/mm/yyyy "às" hh:mm:ss'})
    time = book.add_format({"num_format": "hh:mm"})
    worked = book.add_format({"num_format": "[h]:mm:ss"})
    money = book.add_format({"num_format": '[$R$-416] #,##0.00;[Red]"dd" -#,##0.00'})
    sheet.merge_range("A1:H1", "Sales of January <2026>")
    sheet.write_row("A3", ["region", "code", "day", "at", "price", "ok", "double", "opens", "worked", "note", "note"])
    sheet.merge_range("A4:A6", "North")
    sheet.write("A7", "South")
    for row, (code, date, price) in enumerate([("007", dt.date(2026, 1, 31), 1234.5), ("042", dt.date(1900, 1, 5), 0.1), ("1e3", dt.date(2026, 12, 1), -7)], 3):
        sheet.write_string(row, 1, code)
        sheet.write_datetime(row, 2, dt.datetime.combine(date, dt.time()), day)
        sheet.write_datetime(row, 3, dt.datetime(2026, 1, 31, 23, 59, 58), moment)
        sheet.write_number(row, 4, price, money)
        sheet.write_boolean(row, 5, row % 2 == 1)
        sheet.write_formula(row, 6, f"=E{row + 1}*2", None, price * 2)
        sheet.write_number(row, 7, 0.75, time)
        sheet.write_number(row, 8, 1.5, worked)
        sheet.write_rich_string(row, 9, "a ", book.add_format({"bold": True}), "b", " c\n\"d\" & é")
    sheet.write_string("B7", "x")
    sheet.write_string("C7", "15/02/2026")
    sheet.write_number("E7", 12)
    sheet.write_formula("G7", "=1/0", None, "#DIV/0!")
    sheet.write_string("B10", "y")
    book.close()


def plain() -> None:
    """Inline texts, dates from 1904, formulas that nobody computed, names twice."""
    book = openpyxl.Workbook(write_only=False)
    sheet = book.active
    book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
    sheet.append(["id", "when", "sum"])
    for number in range(1, 4):
        sheet.append([number, dt.datetime(2026, 1, number), f"=A{number + 1}+1"])
    book.save(HERE / "plain.xlsx")


sales()
plain()

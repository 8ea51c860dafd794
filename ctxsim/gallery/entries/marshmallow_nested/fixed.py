"""The same with `Nested(ItemSchema)`: each outer schema makes a nested one of its own."""

from __future__ import annotations

from urllib.parse import parse_qs

from marshmallow import Schema, fields


class ItemSchema(Schema):
    price = fields.Method("price_for_customer")

    def price_for_customer(self, item):
        return f"{item['price']} for {self.context['customer']}"


class OfferSchema(Schema):
    item = fields.Nested(ItemSchema)


def app(environ, start_response):
    customer = parse_qs(environ["QUERY_STRING"])["customer"][0]
    offer = OfferSchema(context={"customer": customer}).dump({"item": {"price": 12}})
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [offer["item"]["price"].encode()]

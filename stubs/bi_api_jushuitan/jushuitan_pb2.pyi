from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListOrdersRequest(_message.Message):
    __slots__ = ("page_index", "page_size", "status")
    PAGE_INDEX_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    page_index: int
    page_size: int
    status: str
    def __init__(self, page_index: _Optional[int] = ..., page_size: _Optional[int] = ..., status: _Optional[str] = ...) -> None: ...

class Order(_message.Message):
    __slots__ = ("order_id", "shop", "status", "sku", "quantity", "amount", "created")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    SHOP_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    SKU_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    shop: str
    status: str
    sku: str
    quantity: int
    amount: float
    created: str
    def __init__(self, order_id: _Optional[str] = ..., shop: _Optional[str] = ..., status: _Optional[str] = ..., sku: _Optional[str] = ..., quantity: _Optional[int] = ..., amount: _Optional[float] = ..., created: _Optional[str] = ...) -> None: ...

class ListOrdersReply(_message.Message):
    __slots__ = ("items", "page_index", "page_size", "total", "has_next")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    PAGE_INDEX_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    HAS_NEXT_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Order]
    page_index: int
    page_size: int
    total: int
    has_next: bool
    def __init__(self, items: _Optional[_Iterable[_Union[Order, _Mapping]]] = ..., page_index: _Optional[int] = ..., page_size: _Optional[int] = ..., total: _Optional[int] = ..., has_next: _Optional[bool] = ...) -> None: ...

class GetOrderRequest(_message.Message):
    __slots__ = ("order_id",)
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    def __init__(self, order_id: _Optional[str] = ...) -> None: ...

class ListInventoryRequest(_message.Message):
    __slots__ = ("page_index", "page_size", "warehouse")
    PAGE_INDEX_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    WAREHOUSE_FIELD_NUMBER: _ClassVar[int]
    page_index: int
    page_size: int
    warehouse: str
    def __init__(self, page_index: _Optional[int] = ..., page_size: _Optional[int] = ..., warehouse: _Optional[str] = ...) -> None: ...

class Stock(_message.Message):
    __slots__ = ("sku", "warehouse", "available", "reserved")
    SKU_FIELD_NUMBER: _ClassVar[int]
    WAREHOUSE_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    RESERVED_FIELD_NUMBER: _ClassVar[int]
    sku: str
    warehouse: str
    available: int
    reserved: int
    def __init__(self, sku: _Optional[str] = ..., warehouse: _Optional[str] = ..., available: _Optional[int] = ..., reserved: _Optional[int] = ...) -> None: ...

class ListInventoryReply(_message.Message):
    __slots__ = ("items", "page_index", "page_size", "total", "has_next")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    PAGE_INDEX_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    HAS_NEXT_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Stock]
    page_index: int
    page_size: int
    total: int
    has_next: bool
    def __init__(self, items: _Optional[_Iterable[_Union[Stock, _Mapping]]] = ..., page_index: _Optional[int] = ..., page_size: _Optional[int] = ..., total: _Optional[int] = ..., has_next: _Optional[bool] = ...) -> None: ...

class CallBackRequest(_message.Message):
    __slots__ = ("body",)
    BODY_FIELD_NUMBER: _ClassVar[int]
    body: str
    def __init__(self, body: _Optional[str] = ...) -> None: ...

class CallBackReply(_message.Message):
    __slots__ = ("accepted", "duplicate", "event_id", "client")
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    accepted: bool
    duplicate: bool
    event_id: str
    client: str
    def __init__(self, accepted: _Optional[bool] = ..., duplicate: _Optional[bool] = ..., event_id: _Optional[str] = ..., client: _Optional[str] = ...) -> None: ...
